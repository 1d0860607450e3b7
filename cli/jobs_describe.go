package cli

import "github.com/urfave/cli/v2"

func jobsDescribeCommand() *cli.Command {
	return &cli.Command{
		Name:      "describe",
		Usage:     "Show a job",
		ArgsUsage: "JOB",
		Description: `
Examples:

$ hearth jobs describe digits_1`,
		Action: func(c *cli.Context) error {
			id, err := word(c, "JOB")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			job, err := daemon.Job(c.Context, id)
			if err != nil {
				return err
			}
			return printValue(c, job)
		},
	}
}
