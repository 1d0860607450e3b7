package cli

import (
	"context"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

func storageRmCommand() *cli.Command {
	return &cli.Command{
		Name:      "rm",
		Usage:     "Delete objects",
		ArgsUsage: "[-r] gs://BUCKET[/OBJECT]…",
		Description: `With -r a name stands for all objects below it as well, and a bucket is deleted with all that is in it. ` + namesHelp + `

Examples:

$ hearth storage rm gs://digits/data/old.csv
$ hearth storage rm 'gs://digits/data/**.tmp'
$ hearth storage rm -r gs://digits/jobs/digits_1`,
		Flags: []cli.Flag{
			recursiveFlag("delete all objects below, and buckets"),
			&cli.BoolFlag{Name: "continue-on-error", Usage: "go on when something cannot be deleted"},
			stdinFlag(), parallelFlag(),
		},
		Action: func(c *cli.Context) error {
			at, err := readAtObjects(c)
			if err != nil {
				return err
			}
			objects, buckets, err := doomed(at)
			if err != nil {
				return err
			}
			show := newTransferBar(c, nil)
			failed := &failures{show: show, total: len(objects), what: "deleted", stop: !c.Bool("continue-on-error")}
			err = each(c.Context, parallel(c), objects, func(ctx context.Context, o client.Object) error {
				show.line("Removing %s", o.URI())
				return at.daemon.DeleteObject(ctx, client.Object{Bucket: o.Bucket, Name: o.Name})
			}, failed.add)
			if err == nil {
				err = failed.result()
			}
			if err != nil {
				return err
			}
			for _, bucket := range buckets {
				notice(c, "Removing gs://%s/", bucket)
				if err := at.daemon.DeleteBucket(c.Context, bucket); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// doomed gives what is to be deleted.
func doomed(at *atObjects) (objects []client.Object, buckets []string, err error) {
	if !at.c.Bool("recursive") {
		objects, err = findObjects(at)
	} else {
		for _, l := range at.locations {
			all, err := find(at.c.Context, at.daemon, l, allBelow)
			if err != nil {
				return nil, nil, err
			}
			objects = append(objects, objectsOf(all)...)
			if l.object == "" {
				buckets = append(buckets, l.bucket)
			}
		}
	}
	return once(objects), buckets, err
}

// once leaves out objects that are named again.
func once(objects []client.Object) []client.Object {
	var out []client.Object
	seen := map[string]bool{}
	for _, o := range objects {
		if !seen[o.URI()] {
			seen[o.URI()] = true
			out = append(out, o)
		}
	}
	return out
}
