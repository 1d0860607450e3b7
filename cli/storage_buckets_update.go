package cli

import "github.com/urfave/cli/v2"

func bucketsUpdateCommand() *cli.Command {
	return &cli.Command{
		Name:      "update",
		Usage:     "Change the labels of a bucket",
		ArgsUsage: "gs://BUCKET [FLAGS]",
		Description: `
Examples:

$ hearth storage buckets update gs://digits --update-labels team=vision,stage=test
$ hearth storage buckets update gs://digits --remove-labels stage`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "update-labels", Usage: "`KEY=VALUE`,KEY=VALUE… to set"},
			&cli.StringSliceFlag{Name: "remove-labels", Usage: "`KEY`,KEY… to take away"},
			&cli.BoolFlag{Name: "clear-labels", Usage: "take all labels away that are not set"},
		},
		Action: func(c *cli.Context) error {
			set, err := pairs(c, "update-labels")
			if err != nil {
				return err
			}
			change := mapChange{replace: c.Bool("clear-labels"), set: set, remove: c.StringSlice("remove-labels")}
			if !change.replace && change.set == nil && change.remove == nil {
				return misuse(c, "say what to change, such as --update-labels")
			}
			name, daemon, err := atBucket(c)
			if err != nil {
				return err
			}
			bucket, err := daemon.Bucket(c.Context, name)
			if err != nil {
				return err
			}
			change.old = bucket.Labels
			if patch := change.patch(); len(patch) > 0 {
				if bucket, err = daemon.LabelBucket(c.Context, name, patch); err != nil {
					return err
				}
			}
			notice(c, "Updated gs://%s/", name)
			return printCreated(c, bucket)
		},
	}
}
