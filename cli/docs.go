package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// docsCommand writes docs/cli.md.
func docsCommand() *cli.Command {
	return &cli.Command{
		Name:   "docs",
		Usage:  "Print docs/cli.md",
		Hidden: true,
		Action: func(c *cli.Context) error {
			writeDocs(c.App.Writer)
			return nil
		},
	}
}

// writeDocs writes the reference of all commands as Markdown.
func writeDocs(w io.Writer) {
	app := newApp(nil, io.Discard, io.Discard)
	fmt.Fprintf(w, "# The command line\n\n`hearth COMMAND [FLAGS] [ARGUMENTS]`. Flags may stand anywhere before `--`. "+
		"This page is printed by `hearth docs`.\n\n")
	fmt.Fprint(w, "Flags of every command:\n\n")
	writeFlags(w, app.Flags)
	fmt.Fprint(w, "Exit status:\n\n| status | meaning |\n|---|---|\n")
	for _, e := range exitCodes {
		fmt.Fprintf(w, "| %d | %s |\n", e.code, e.meaning)
	}
	for _, c := range visibleCommands(app.Commands) {
		writeCommand(w, c, "hearth")
	}
}

// writeCommand writes a command, or the commands that it holds.
func writeCommand(w io.Writer, c *cli.Command, parent string) {
	c.HelpName = parent + " " + c.Name
	if len(c.Subcommands) > 0 {
		for _, sub := range visibleCommands(c.Subcommands) {
			writeCommand(w, sub, c.HelpName)
		}
		return
	}
	fmt.Fprintf(w, "\n## %s\n\n%s.\n\n    %s\n\n", c.HelpName, c.Usage, synopsis(c))
	prose, example, _ := strings.Cut(c.Description, examples)
	if prose = strings.TrimSpace(prose); prose != "" {
		fmt.Fprintf(w, "%s\n\n", prose)
	}
	if flags := ownFlags(c); len(flags) > 0 {
		writeFlags(w, flags)
	}
	if example != "" {
		fmt.Fprintf(w, "```\n%s\n```\n", strings.Trim(example, "\n"))
	}
}

func writeFlags(w io.Writer, flags []cli.Flag) {
	fmt.Fprint(w, "| flag | meaning |\n|---|---|\n")
	for _, r := range flagRows(flags) {
		fmt.Fprintf(w, "| `%s` | %s |\n", r[0], strings.ReplaceAll(r[1], "|", "\\|"))
	}
	fmt.Fprintln(w)
}
