package cli

import (
	"fmt"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

func storageReindexCommand() *cli.Command {
	return &cli.Command{
		Name:  "reindex",
		Usage: "Make the index of the bucket anew from what is stored",
		Description: `Takes in files that others have put where the bucket keeps its objects, and forgets those that they have taken away. The daemon goes on meanwhile.

Examples:

$ hearth storage reindex`,
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			bar := progressbar.NewOptions(-1, append(barOptions(c.App.ErrWriter, ""), progressbar.OptionSetVisibility(showsProgress(c)))...)
			result, err := daemon.Reindex(c.Context, func(r client.Reindexed) {
				bar.Describe(fmt.Sprintf("%d objects, %s read", r.Objects, bytesText(r.Bytes)))
				_ = bar.Add(1)
			})
			_ = bar.Clear()
			if err != nil {
				return err
			}
			notice(c, "Looked at %d objects and read %s: %d added, %d changed, %d removed.",
				result.Objects, bytesText(result.Bytes), result.Added, result.Changed, result.Removed)
			return printCreated(c, result)
		},
	}
}
