package cli

import (
	"context"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

func objectsUpdateCommand() *cli.Command {
	return &cli.Command{
		Name:      "update",
		Usage:     "Change what is kept with objects",
		ArgsUsage: "gs://BUCKET/OBJECT… [FLAGS]",
		Description: `What no flag mentions stays as it is; --custom-metadata replaces all there was. ` + namesHelp + `

Examples:

$ hearth storage objects update gs://digits/data/digits.csv --content-type text/csv
$ hearth storage objects update 'gs://digits/site/**' --cache-control no-store --clear-custom-metadata`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "content-type", Usage: "`TYPE` of the objects"},
			&cli.BoolFlag{Name: "clear-content-type", Usage: "take the type away"},
			&cli.StringFlag{Name: "cache-control", Usage: "how long others may keep copies, as HTTP's `CACHE-CONTROL` says it"},
			&cli.BoolFlag{Name: "clear-cache-control", Usage: "take that away"},
			&cli.StringSliceFlag{Name: "custom-metadata", Usage: "`KEY=VALUE`,KEY=VALUE… kept with the objects"},
			&cli.StringSliceFlag{Name: "update-custom-metadata", Usage: "`KEY=VALUE`,KEY=VALUE… to add to what is kept"},
			&cli.StringSliceFlag{Name: "remove-custom-metadata", Usage: "`KEY`,KEY… to take away"},
			&cli.BoolFlag{Name: "clear-custom-metadata", Usage: "take all custom metadata away"},
			parallelFlag(),
		},
		Action: func(c *cli.Context) error {
			change, err := readObjectChange(c)
			if err != nil {
				return err
			}
			at, err := readAtObjects(c)
			if err != nil {
				return err
			}
			objects, err := findObjects(at)
			if err != nil {
				return err
			}
			show := newTransferBar(c, nil)
			failed := &failures{show: show, total: len(objects), what: "updated"}
			err = each(c.Context, parallel(c), objects, func(ctx context.Context, o client.Object) error {
				show.line("Updating %s", o.URI())
				_, err := at.daemon.UpdateObject(ctx, o.Bucket, o.Name, change(o))
				return err
			}, failed.add)
			if err != nil {
				return err
			}
			return failed.result()
		},
	}
}

// readObjectChange reads the flags and gives the fields of a PATCH for an
// object.
func readObjectChange(c *cli.Context) (func(client.Object) map[string]any, error) {
	fields := map[string]any{}
	for flag, field := range map[string]string{"content-type": "contentType", "cache-control": "cacheControl"} {
		switch {
		case c.IsSet(flag) && c.Bool("clear-"+flag):
			return nil, misuse(c, "--%s and --clear-%s exclude each other", flag, flag)
		case c.IsSet(flag):
			fields[field] = c.String(flag)
		case c.Bool("clear-" + flag):
			fields[field] = nil
		}
	}
	metadata, err := pairs(c, "custom-metadata")
	if err != nil {
		return nil, err
	}
	added, err := pairs(c, "update-custom-metadata")
	if err != nil {
		return nil, err
	}
	clear := c.Bool("clear-custom-metadata")
	removed := c.StringSlice("remove-custom-metadata")
	if clear && (metadata != nil || added != nil || removed != nil) || metadata != nil && (added != nil || removed != nil) {
		return nil, misuse(c, "--clear-custom-metadata and --custom-metadata exclude each other and other changes of it")
	}
	if len(fields) == 0 && !clear && metadata == nil && added == nil && removed == nil {
		return nil, misuse(c, "say what to change, such as --content-type")
	}
	return func(o client.Object) map[string]any {
		return withMetadata(fields, mapChange{old: o.Metadata, replace: clear || metadata != nil, set: merged(metadata, added), remove: removed})
	}, nil
}

func withMetadata(fields map[string]any, change mapChange) map[string]any {
	out := map[string]any{}
	for k, v := range fields {
		out[k] = v
	}
	if patch := change.patch(); len(patch) > 0 {
		out["metadata"] = patch
	}
	return out
}
