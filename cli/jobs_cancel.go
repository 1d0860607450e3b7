package cli

import "github.com/urfave/cli/v2"

func jobsCancelCommand() *cli.Command {
	return &cli.Command{
		Name:      "cancel",
		Usage:     "Cancel a job",
		ArgsUsage: "JOB",
		Description: `A running trainer gets SIGTERM and some time to end; then its whole tree of processes is killed. A job that has ended stays as it is.

Examples:

$ hearth jobs cancel digits_1`,
		Action: func(c *cli.Context) error {
			id, err := word(c, "JOB")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			return daemon.CancelJob(c.Context, id)
		},
	}
}
