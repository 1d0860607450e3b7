package cli

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"hearth/ml"
)

func execCommand() *cli.Command {
	return &cli.Command{
		Name:      "exec",
		Usage:     "Run a program that is pointed at the daemon",
		ArgsUsage: "-- PROGRAM [ARGUMENTS…]",
		Description: `Runs PROGRAM in the place of this one, with everything set that hearth env prints. The exit status is the program's.

Examples:

$ hearth exec -- gcloud ai-platform models list
$ hearth exec -- python my_program.py
$ hearth exec -- tensorboard --logdir gs://digits/jobs/digits_1/logs`,
		Action: func(c *cli.Context) error {
			command := append(c.Args().Slice(), tail(c)...)
			if len(command) == 0 {
				return misuse(c, "PROGRAM is missing")
			}
			program, err := exec.LookPath(command[0])
			if err != nil {
				return &ml.Error{Kind: ml.NotFound, Message: "run " + command[0], Err: err}
			}
			e, err := prepareEnvironment(c)
			if err != nil {
				return err
			}
			err = syscall.Exec(program, command, withVariables(os.Environ(), e.variables("")))
			return fmt.Errorf("run %s: %w", program, err)
		},
	}
}

// withVariables changes variables of an environment.
func withVariables(environ []string, variables []variable) []string {
	changed := map[string]bool{}
	var out []string
	for _, v := range variables {
		changed[v.name] = true
		if v.value != "" {
			out = append(out, v.name+"="+v.value)
		}
	}
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !changed[name] {
			out = append(out, entry)
		}
	}
	return out
}
