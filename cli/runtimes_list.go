package cli

import (
	"github.com/urfave/cli/v2"

	"hearth/cli/client"
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
				column[client.Runtime]{"NAME", func(r client.Runtime) string { return r.Name }},
				column[client.Runtime]{"TENSORFLOW", func(r client.Runtime) string { return r.TensorFlow }},
				column[client.Runtime]{"PYTHON", func(r client.Runtime) string { return r.Python }},
				column[client.Runtime]{"STATE", func(r client.Runtime) string { return r.State }},
				column[client.Runtime]{"DEFAULT", func(r client.Runtime) string { return yesOrEmpty(r.Default) }},
				column[client.Runtime]{"SIZE", func(r client.Runtime) string { return bytesText(r.SizeBytes) }},
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
