package cli

import "github.com/urfave/cli/v2"

func modelsDescribeCommand() *cli.Command {
	return &cli.Command{
		Name:      "describe",
		Usage:     "Show a model",
		ArgsUsage: "MODEL",
		Description: `
Examples:

$ hearth models describe digits`,
		Action: func(c *cli.Context) error {
			name, err := word(c, "MODEL")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			model, err := daemon.Model(c.Context, name)
			if err != nil {
				return err
			}
			return printValue(c, model)
		},
	}
}
