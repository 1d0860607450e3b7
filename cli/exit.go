package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

// Exit statuses. exitCodes describes them for the help.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitUnreachable = 5
	exitInterrupted = 130
)

var exitCodes = []struct {
	code    int
	meaning string
}{
	{exitOK, "done"},
	{exitFailed, "the request, or the job that was waited for, failed"},
	{exitUsage, "the command line is wrong"},
	{exitNotFound, "there is no such thing"},
	{exitDenied, "the token is missing, wrong or not enough"},
	{exitUnreachable, "no daemon answers at the endpoint"},
	{exitInterrupted, "interrupted"},
}

var errInterrupted = errors.New("interrupted")

// childStatus is the exit status of a program that has said itself what was
// wrong.
type childStatus int

func (s childStatus) Error() string { return fmt.Sprintf("it exited with status %d", int(s)) }

// usageError is a mistake in the command line.
type usageError struct {
	command string
	message string
}

func (e *usageError) Error() string { return e.message }

// misuse makes a usageError of the command that runs.
func misuse(c *cli.Context, format string, args ...any) error {
	return &usageError{command: commandPath(c), message: fmt.Sprintf(format, args...)}
}

// commandPath gives the words of the command that runs: "hearth jobs list".
func commandPath(c *cli.Context) string {
	if c.Command == nil || c.Command.HelpName == "" {
		return c.App.Name
	}
	return c.Command.HelpName
}

// flagError is what urfave/cli calls for a flag that it cannot read.
func flagError(c *cli.Context, err error, _ bool) error {
	message := err.Error()
	if name, ok := strings.CutPrefix(message, "flag provided but not defined: -"); ok {
		message = fmt.Sprintf("there is no flag --%s", strings.TrimLeft(name, "-"))
		flags := c.App.Flags
		if c.Command != nil {
			flags = append(c.Command.Flags[:len(c.Command.Flags):len(c.Command.Flags)], flags...)
		}
		if s := cli.SuggestFlag(flags, name, false); s != "" {
			message += fmt.Sprintf("; did you mean %s?", s)
		}
	}
	return misuse(c, "%s", message)
}

// unknownCommand is the action of everything that only holds commands.
func unknownCommand(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowSubcommandHelp(c)
	}
	message := fmt.Sprintf("there is no command %q", c.Args().First())
	subcommands := c.App.Commands
	if c.Command != nil && c.Command.Name != c.App.Name {
		subcommands = c.Command.Subcommands
	}
	if s := cli.SuggestCommand(subcommands, c.Args().First()); s != "" {
		message += "; " + strings.ToLower(s[:1]) + s[1:]
	}
	return misuse(c, "%s", message)
}

// report writes an error as a line with a hint where there is one, and gives
// the exit status.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	if child := childStatus(0); errors.As(err, &child) {
		return int(child)
	}
	code, hint := classify(err)
	if code == exitInterrupted {
		return code
	}
	message := err.Error()
	var shown *ml.Error
	if errors.As(err, &shown) && shown.Field != "" && !strings.Contains(message, shown.Field) {
		message = shown.Field + ": " + message
	}
	fmt.Fprintf(w, "%s %s\n", colour(w, red, "hearth:"), message)
	if hint != "" {
		fmt.Fprintf(w, "        %s\n", hint)
	}
	return code
}

// classify gives an error's exit status, and what to do about it.
func classify(err error) (code int, hint string) {
	var usage *usageError
	var unreachable *client.UnreachableError
	switch {
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted, ""
	case errors.As(err, &usage):
		return exitUsage, fmt.Sprintf("see `%s --help`", usage.command)
	case errors.As(err, &unreachable):
		return exitUnreachable, "start the daemon with `hearth serve`, or say where it is with --endpoint or HEARTH_ENDPOINT"
	}
	switch ml.KindOf(err) {
	case ml.NotFound:
		return exitNotFound, ""
	case ml.Unauthenticated:
		return exitDenied, "show the owner's token with --token-file or HEARTH_TOKEN_FILE; it is owner.token in the daemon's data folder"
	case ml.PermissionDenied:
		return exitDenied, ""
	}
	return exitFailed, ""
}
