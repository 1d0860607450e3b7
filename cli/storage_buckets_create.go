package cli

import "github.com/urfave/cli/v2"

func bucketsCreateCommand() *cli.Command {
	return &cli.Command{
		Name:      "create",
		Usage:     "Create a bucket",
		ArgsUsage: "gs://BUCKET",
		Description: `
Examples:

$ hearth storage buckets create gs://digits`,
		Action: func(c *cli.Context) error {
			name, daemon, err := atBucket(c)
			if err != nil {
				return err
			}
			bucket, err := daemon.CreateBucket(c.Context, name)
			if err != nil {
				return err
			}
			notice(c, "Created gs://%s/", bucket.Name)
			return printCreated(c, bucket)
		},
	}
}
