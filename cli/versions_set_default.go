package cli

import "github.com/urfave/cli/v2"

func versionsSetDefaultCommand() *cli.Command {
	return &cli.Command{
		Name:      "set-default",
		Usage:     "Make a version the one that answers for its model",
		ArgsUsage: "VERSION --model MODEL",
		Description: `
Examples:

$ hearth versions set-default v2 --model digits`,
		Flags: []cli.Flag{modelFlag()},
		Action: func(c *cli.Context) error {
			name, err := word(c, "VERSION")
			if err != nil {
				return err
			}
			model, err := required(c, "model")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			version, err := daemon.SetDefaultVersion(c.Context, model, name)
			if err != nil {
				return err
			}
			return printValue(c, version)
		},
	}
}
