package cli

import "github.com/urfave/cli/v2"

func versionsDescribeCommand() *cli.Command {
	return &cli.Command{
		Name:      "describe",
		Usage:     "Show a version",
		ArgsUsage: "VERSION --model MODEL",
		Description: `
Examples:

$ hearth versions describe v1 --model digits`,
		Flags: []cli.Flag{modelFlag()},
		Action: func(c *cli.Context) error {
			model, name, daemon, err := atVersion(c)
			if err != nil {
				return err
			}
			version, err := daemon.Version(c.Context, model, name)
			if err != nil {
				return err
			}
			return printValue(c, version)
		},
	}
}
