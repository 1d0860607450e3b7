package cli

import "github.com/urfave/cli/v2"

func objectsDescribeCommand() *cli.Command {
	return &cli.Command{
		Name:      "describe",
		Usage:     "Show an object",
		ArgsUsage: "gs://BUCKET/OBJECT",
		Description: `
Examples:

$ hearth storage objects describe gs://digits/data/digits.csv.gz`,
		Action: func(c *cli.Context) error {
			at, daemon, err := oneObject(c)
			if err != nil {
				return err
			}
			object, err := daemon.Object(c.Context, at.bucket, at.object)
			if err != nil {
				return err
			}
			return printValue(c, object)
		},
	}
}
