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
			model, name, daemon, err := atVersion(c)
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
