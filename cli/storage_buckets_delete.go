package cli

import "github.com/urfave/cli/v2"

func bucketsDeleteCommand() *cli.Command {
	return &cli.Command{
		Name:      "delete",
		Usage:     "Delete an empty bucket",
		ArgsUsage: "gs://BUCKET",
		Description: `
Examples:

$ hearth storage buckets delete gs://digits`,
		Action: func(c *cli.Context) error {
			name, daemon, err := atBucket(c)
			if err != nil {
				return err
			}
			if err := daemon.DeleteBucket(c.Context, name); err != nil {
				return err
			}
			notice(c, "Deleted gs://%s/", name)
			return nil
		},
	}
}
