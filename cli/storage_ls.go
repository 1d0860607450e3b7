package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"sigs.k8s.io/yaml"

	"hearth/cli/client"
)

func storageLsCommand() *cli.Command {
	return &cli.Command{
		Name:      "ls",
		Usage:     "List buckets, folders and objects",
		ArgsUsage: "[-l|-L] [-r] [gs://BUCKET[/PREFIX]…]",
		Description: `Without arguments it lists the buckets. ` + namesHelp + `

Examples:

$ hearth storage ls
$ hearth storage ls -l gs://digits/jobs/
$ hearth storage ls -r gs://digits
$ hearth storage ls 'gs://digits/jobs/**/eval.json' --format json`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "long", Aliases: []string{"l"}, Usage: "show sizes and times as well"},
			&cli.BoolFlag{Name: "full", Aliases: []string{"L"}, Usage: "show all that is known of objects"},
			recursiveFlag("show all objects below"),
		},
		Action: func(c *cli.Context) error {
			if !c.Args().Present() && len(tail(c)) == 0 {
				return listBuckets(c)
			}
			at, err := readAtObjects(c)
			if err != nil {
				return err
			}
			entries, err := listed(at)
			if err != nil {
				return err
			}
			if f := c.String("format"); f == "json" || f == "yaml" {
				return printValue(c, objectsIn(entries))
			}
			if c.Bool("full") {
				return printFull(c, entries)
			}
			printEntries(c, entries)
			return nil
		},
	}
}

func listBuckets(c *cli.Context) error {
	if err := checkFormat(c); err != nil {
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
	if f := c.String("format"); f == "json" || f == "yaml" {
		return printValue(c, buckets)
	}
	for _, b := range buckets {
		fmt.Fprintf(c.App.Writer, "gs://%s/\n", b.Name)
	}
	return nil
}

// entry is a line of a listing: an object, or the name of a folder.
type entry struct {
	uri    string
	object *client.Object
}

// listed gives what there is to list: an object, what is in a folder that was
// named, and folders that a pattern matches; with -r what is in these too.
func listed(at *atObjects) ([]entry, error) {
	var entries []entry
	recursive := at.c.Bool("recursive")
	for _, l := range at.locations {
		all, err := find(at.c.Context, at.daemon, l, depthFor(recursive, oneLevel))
		if err != nil {
			return nil, err
		}
		before := len(entries)
		for _, f := range all {
			switch {
			case f.object != nil:
				entries = append(entries, entry{f.object.URI(), f.object})
			case hasWildcard(l.object) && !recursive:
				entries = append(entries, entry{uri: f.location().String()})
			default:
				for i, o := range f.inside.Objects {
					entries = append(entries, entry{o.URI(), &f.inside.Objects[i]})
				}
				for _, folder := range f.inside.Folders {
					entries = append(entries, entry{uri: location{bucket: f.bucket, object: folder}.String()})
				}
			}
		}
		slices.SortFunc(entries[before:], func(a, b entry) int { return strings.Compare(a.uri, b.uri) })
	}
	return entries, nil
}

func objectsIn(entries []entry) []client.Object {
	objects := []client.Object{}
	for _, e := range entries {
		if e.object != nil {
			objects = append(objects, *e.object)
		}
	}
	return objects
}

func printEntries(c *cli.Context, entries []entry) {
	w := c.App.Writer
	var total int64
	for _, e := range entries {
		switch {
		case !c.Bool("long"):
			fmt.Fprintln(w, e.uri)
		case e.object == nil:
			fmt.Fprintf(w, "%12s  %20s  %s\n", "", "", e.uri)
		default:
			fmt.Fprintf(w, "%12d  %s  %s\n", e.object.Size, e.object.Updated.UTC().Format("2006-01-02T15:04:05Z"), e.uri)
		}
	}
	if c.Bool("long") {
		objects := objectsIn(entries)
		for _, o := range objects {
			total += int64(o.Size)
		}
		fmt.Fprintf(w, "TOTAL: %d objects, %d bytes (%s)\n", len(objects), total, bytesText(total))
	}
}

// printFull writes all fields of each object below its name.
func printFull(c *cli.Context, entries []entry) error {
	for _, e := range entries {
		fmt.Fprintf(c.App.Writer, "%s:\n", e.uri)
		if e.object == nil {
			continue
		}
		fields, err := yaml.Marshal(e.object)
		if err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
		fmt.Fprintln(c.App.Writer, indent(string(bytes.TrimSpace(fields)), "  "))
	}
	return nil
}
