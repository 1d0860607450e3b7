package cli

import "github.com/urfave/cli/v2"

func bucketsDescribeCommand() *cli.Command {
	return &cli.Command{
		Name:      "describe",
		Usage:     "Show a bucket",
		ArgsUsage: "gs://BUCKET",
		Description: `
Examples:

$ hearth storage buckets describe gs://digits`,
		Action: func(c *cli.Context) error {
			name, daemon, err := atBucket(c)
			if err != nil {
				return err
			}
			bucket, err := daemon.Bucket(c.Context, name)
			if err != nil {
				return err
			}
			return printValue(c, bucket)
		},
	}
}
