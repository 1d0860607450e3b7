package cli

import (
	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

func bucketsCreateCommand() *cli.Command {
	return &cli.Command{
		Name:      "create",
		Usage:     "Create a bucket",
		ArgsUsage: "gs://BUCKET",
		Description: `
Examples:

$ hearth storage buckets create gs://digits`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "location", Usage: "kept with the bucket; LOCATION means nothing on one machine"},
			&cli.StringFlag{Name: "default-storage-class", Usage: "kept with the bucket; a storage `CLASS` means nothing on one machine"},
			&cli.StringSliceFlag{Name: "labels", Usage: "`KEY=VALUE`,KEY=VALUE…"},
		},
		Action: func(c *cli.Context) error {
			labels, err := pairs(c, "labels")
			if err != nil {
				return err
			}
			name, daemon, err := atBucket(c)
			if err != nil {
				return err
			}
			bucket, err := daemon.CreateBucket(c.Context, client.Bucket{
				Name: name, Location: c.String("location"), StorageClass: c.String("default-storage-class"), Labels: labels,
			})
			if err != nil {
				return err
			}
			notice(c, "Created gs://%s/", bucket.Name)
			return printCreated(c, bucket)
		},
	}
}
