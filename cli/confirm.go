package cli

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// confirm asks before something is lost. Where nobody can answer, and with
// --quiet, the command itself is the answer.
func confirm(c *cli.Context, format string, args ...any) error {
	if c.Bool("quiet") || !isTerminal(c.App.Reader) || !isTerminal(c.App.ErrWriter) {
		return nil
	}
	fmt.Fprintf(c.App.ErrWriter, format+" Continue (Y/n)? ", args...)
	answer, err := bufio.NewReader(c.App.Reader).ReadString('\n')
	if err != nil {
		return errInterrupted
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "", "y", "yes":
		return nil
	}
	return errInterrupted
}
