package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

func envCommand() *cli.Command {
	return &cli.Command{
		Name:      "env",
		Usage:     "Print what points other programs at the daemon",
		ArgsUsage: "[--for gcloud|gsutil|python|tensorflow]",
		Description: `Prints lines for a shell. Without --for they serve all of these programs: gcloud, gsutil, Google's Python libraries (google-api-python-client, google-cloud-storage) and TensorFlow's gs:// paths. The files that they name, the token among them, are written to ~/.local/state/hearth and can be read by you alone.

To leave the shell as it is, use hearth exec.

Examples:

$ eval "$(hearth env --for gcloud)"
$ gcloud ai-platform jobs list`,
		Flags: []cli.Flag{&cli.StringFlag{Name: "for", Usage: "one `PROGRAM`: gcloud, gsutil, python or tensorflow"}},
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			target := c.String("for")
			if target != "" && !slices.Contains(environmentTargets, target) {
				return misuse(c, "--for %s: use %s", target, strings.Join(environmentTargets, ", "))
			}
			e, err := prepareEnvironment(c)
			if err != nil {
				return err
			}
			for _, v := range e.variables(target) {
				if v.value != "" {
					fmt.Fprintf(c.App.Writer, "export %s=%s\n", v.name, quote(v.value))
				} else if _, set := os.LookupEnv(v.name); set {
					fmt.Fprintf(c.App.Writer, "unset %s\n", v.name)
				}
			}
			return nil
		},
	}
}

// quote writes a word so that a shell reads it as it is.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
