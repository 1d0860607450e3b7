package cli

import (
	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

func bucketsListCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "List buckets",
		Description: `
Examples:

$ hearth storage buckets list --format json`,
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			buckets, err := daemon.Buckets(c.Context)
			if err != nil {
				return err
			}
			return printList(c, buckets,
				column[client.Bucket]{"NAME", func(b client.Bucket) string { return b.Name }},
				column[client.Bucket]{"CREATED", func(b client.Bucket) string { return timeText(b.TimeCreated) }},
			)
		},
	}
}
