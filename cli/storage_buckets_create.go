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
			arg, err := word(c, "gs://BUCKET")
			if err != nil {
				return err
			}
			name, err := bucketName(c, arg)
			if err != nil {
				return err
			}
			daemon, err := connect(c)
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
