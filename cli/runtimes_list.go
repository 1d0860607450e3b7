package cli

import (
	"github.com/urfave/cli/v2"

	"hearth/ml"
)

func runtimesListCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "List the installed versions of TensorFlow",
		Description: `
Examples:

$ hearth runtimes list`,
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			runtimes, err := daemon.Runtimes(c.Context)
			if err != nil {
				return err
			}
			return printList(c, runtimes,
				column[ml.Runtime]{"NAME", func(r ml.Runtime) string { return r.Name }},
				column[ml.Runtime]{"TENSORFLOW", func(r ml.Runtime) string { return r.TensorFlow }},
				column[ml.Runtime]{"PYTHON", func(r ml.Runtime) string { return r.Python }},
				column[ml.Runtime]{"STATE", func(r ml.Runtime) string { return r.State }},
				column[ml.Runtime]{"DEFAULT", func(r ml.Runtime) string { return yesOrEmpty(r.Default) }},
				column[ml.Runtime]{"SIZE", func(r ml.Runtime) string { return bytesText(r.SizeBytes) }},
			)
		},
	}
}

func yesOrEmpty(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
