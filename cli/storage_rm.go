package cli

import (
	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

func storageRmCommand() *cli.Command {
	return &cli.Command{
		Name:      "rm",
		Usage:     "Delete objects",
		ArgsUsage: "[-r] gs://BUCKET/OBJECT…",
		Description: `With -r a name stands for all objects below it as well. A name may end in "*".

Examples:

$ hearth storage rm gs://digits/data/old.csv
$ hearth storage rm -r gs://digits/jobs/digits_1`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "recursive", Aliases: []string{"r", "R"}, Usage: "delete all objects below"}},
		Action: func(c *cli.Context) error {
			given := append(c.Args().Slice(), tail(c)...)
			if len(given) == 0 {
				return misuse(c, "gs://BUCKET/OBJECT is missing")
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			for _, arg := range given {
				if err := remove(c, daemon, arg); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func remove(c *cli.Context, daemon *client.Client, arg string) error {
	at, err := remoteLocation(c, arg)
	if err != nil {
		return err
	}
	objects := []client.Object{{Bucket: at.bucket, Name: at.object}}
	_, wild := at.wildcard()
	switch {
	case c.Bool("recursive"), wild:
		listing, err := matching(c, daemon, at)
		if err != nil {
			return err
		}
		if objects = listing.Objects; len(objects) == 0 {
			return ml.Errorf(ml.NotFound, "nothing is called %s", arg)
		}
	case at.folder():
		return misuse(c, "%s is a folder: delete what is in it with -r", arg)
	}
	for _, o := range objects {
		notice(c, "Removing %s", o.URI())
		if err := daemon.DeleteObject(c.Context, o.Bucket, o.Name); err != nil {
			return err
		}
	}
	return nil
}
