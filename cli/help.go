package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// examples is the line of a command's Description that parts prose and
// examples.
const examples = "\nExamples:\n"

// printHelp writes the help of the program or of a command; it stands in for
// urfave/cli's templates.
func printHelp(w io.Writer, _ string, subject any) {
	switch s := subject.(type) {
	case *cli.App:
		helpOfApp(w, s)
	case *cli.Command:
		if s.Name == "hearth" {
			helpOfApp(w, newApp(nil, w, w))
			return
		}
		helpOfCommand(w, s)
	}
}

func helpOfApp(w io.Writer, app *cli.App) {
	fmt.Fprintf(w, "hearth: %s\n\nUsage:\n  hearth COMMAND [FLAGS] [ARGUMENTS]\n\nCommands:\n", app.Usage)
	printColumns(w, rows(visibleCommands(app.Commands), func(c *cli.Command) []string { return []string{c.Name, c.Usage} }))
	fmt.Fprint(w, "\nFlags of every command:\n")
	printColumns(w, flagRows(app.Flags))
	fmt.Fprint(w, "\nExit status:\n")
	for _, e := range exitCodes {
		fmt.Fprintf(w, "  %3d  %s\n", e.code, e.meaning)
	}
	fmt.Fprint(w, "\nHelp on a command: hearth COMMAND --help\n")
}

func helpOfCommand(w io.Writer, c *cli.Command) {
	fmt.Fprintf(w, "%s: %s\n\nUsage:\n  %s\n", c.HelpName, c.Usage, synopsis(c))
	prose, example, _ := strings.Cut(c.Description, examples)
	if prose = strings.TrimSpace(prose); prose != "" {
		fmt.Fprintf(w, "\n%s\n", wrap(prose, 90))
	}
	if subcommands := visibleCommands(c.Subcommands); len(subcommands) > 0 {
		fmt.Fprint(w, "\nCommands:\n")
		printColumns(w, rows(subcommands, func(c *cli.Command) []string { return []string{c.Name, c.Usage} }))
	}
	if flags := ownFlags(c); len(flags) > 0 {
		fmt.Fprint(w, "\nFlags:\n")
		printColumns(w, flagRows(flags))
	}
	if example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", indent(example, "  "))
	}
	fmt.Fprint(w, "\nFlags of every command (--endpoint, --format and others): hearth --help\n")
}

func synopsis(c *cli.Command) string {
	out := c.HelpName
	if len(c.Subcommands) > 0 {
		return out + " COMMAND"
	}
	if c.ArgsUsage != "" {
		out += " " + c.ArgsUsage
	}
	return out
}

// ownFlags are a command's flags without --help, which all have.
func ownFlags(c *cli.Command) []cli.Flag {
	var out []cli.Flag
	for _, f := range c.Flags {
		if v, ok := f.(cli.VisibleFlag); f != cli.HelpFlag && (!ok || v.IsVisible()) {
			out = append(out, f)
		}
	}
	return out
}

func visibleCommands(commands []*cli.Command) []*cli.Command {
	var out []*cli.Command
	for _, c := range commands {
		if !c.Hidden {
			out = append(out, c)
		}
	}
	return out
}

// flagRows gives a row for each flag: how it is written, what it does.
func flagRows(flags []cli.Flag) [][]string {
	return rows(flags, func(f cli.Flag) []string {
		d := f.(cli.DocGenerationFlag)
		value, usage := "", d.GetUsage()
		if i := strings.IndexByte(usage, '`'); i >= 0 {
			name, rest, _ := strings.Cut(usage[i+1:], "`")
			value, usage = name, usage[:i]+name+rest
		}
		if value == "" && d.TakesValue() {
			value = strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))
		}
		written := "--" + f.Names()[0]
		for _, alias := range f.Names()[1:] {
			written = "-" + alias + ", " + written
		}
		if value != "" {
			written += " " + value
		}
		if s, ok := f.(*cli.StringFlag); ok && s.Value != "" {
			usage += fmt.Sprintf(" (default %s)", s.Value)
		}
		if env := d.GetEnvVars(); len(env) > 0 {
			usage += " [" + strings.Join(env, ", ") + "]"
		}
		return []string{written, usage}
	})
}

func rows[T any](items []T, row func(T) []string) [][]string {
	out := make([][]string, len(items))
	for i, item := range items {
		out[i] = row(item)
	}
	return out
}

// printColumns writes indented rows of two columns.
func printColumns(w io.Writer, rows [][]string) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	for _, r := range rows {
		fmt.Fprintf(w, "  %-*s  %s\n", width, r[0], r[1])
	}
}

func indent(text, by string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = by + l
		}
	}
	return strings.Join(lines, "\n")
}

// wrap breaks lines that are longer than a width, between words.
func wrap(text string, width int) string {
	var out strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			out.WriteByte('\n')
		}
		column := 0
		for j, word := range strings.Fields(line) {
			switch {
			case j > 0 && column+1+len(word) > width:
				out.WriteByte('\n')
				column = 0
			case j > 0:
				out.WriteByte(' ')
				column++
			}
			out.WriteString(word)
			column += len(word)
		}
	}
	return out.String()
}
