package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// tailKey is where App.Metadata holds what the user wrote behind "--".
const tailKey = "tail"

// completionFlag is what a shell adds to ask for completions.
const completionFlag = "--generate-bash-completion"

// arrange puts a command line into the order that urfave/cli reads: flags of
// the program, words of the command, flags of the command, arguments. gcloud's
// users write flags anywhere. What stands behind "--" belongs to somebody else
// and is given apart.
func arrange(app *cli.App, args []string) (arranged, tail []string) {
	if len(args) == 0 || args[len(args)-1] == completionFlag {
		return args, nil
	}
	head := args[1:]
	if i := slices.Index(head, "--"); i >= 0 {
		head, tail = head[:i], head[i+1:]
	}
	var global, words, local, rest []string
	level, flags := app.Commands, []cli.Flag{cli.HelpFlag}
	for i := 0; i < len(head); i++ {
		arg := head[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			if c := commandNamed(level, arg); c != nil && len(rest) == 0 {
				words, level, flags = append(words, arg), c.Subcommands, append(slices.Clip(c.Flags), cli.HelpFlag)
			} else {
				rest = append(rest, arg)
			}
			continue
		}
		taken := head[i : i+1]
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		f := flagNamed(flags, name)
		isGlobal := f == nil && flagNamed(app.Flags, name) != nil
		if isGlobal {
			f = flagNamed(app.Flags, name)
		}
		if takesValue(f) && !hasValue && i+1 < len(head) {
			i++
			taken = head[i-1 : i+1]
		}
		if isGlobal {
			global = append(global, taken...)
		} else {
			local = append(local, taken...)
		}
	}
	arranged = append([]string{args[0]}, global...)
	arranged = append(append(arranged, words...), local...)
	if len(rest) > 0 {
		// Behind "--" no argument is taken for a flag or read again.
		arranged = append(append(arranged, "--"), rest...)
	}
	return arranged, tail
}

func commandNamed(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

func flagNamed(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}
