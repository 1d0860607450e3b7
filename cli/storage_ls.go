package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

func storageLsCommand() *cli.Command {
	return &cli.Command{
		Name:      "ls",
		Usage:     "List buckets, folders and objects",
		ArgsUsage: "[-l] [-r] [gs://BUCKET[/PREFIX]…]",
		Description: `Without arguments it lists the buckets. A name may end in "*".

Examples:

$ hearth storage ls
$ hearth storage ls -l gs://digits/jobs/
$ hearth storage ls -r gs://digits`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "long", Aliases: []string{"l"}, Usage: "show sizes and times as well"},
			&cli.BoolFlag{Name: "recursive", Aliases: []string{"r", "R"}, Usage: "show all objects below"},
		},
		Action: func(c *cli.Context) error {
			if err := checkFormat(c); err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			given := append(c.Args().Slice(), tail(c)...)
			if len(given) == 0 {
				return listBuckets(c, daemon)
			}
			for _, arg := range given {
				if err := listObjects(c, daemon, arg); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func listBuckets(c *cli.Context, daemon *client.Client) error {
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

func listObjects(c *cli.Context, daemon *client.Client, arg string) error {
	at, err := remoteLocation(c, arg)
	if err != nil {
		return err
	}
	listing, err := matching(c, daemon, at)
	if err != nil {
		return err
	}
	if len(listing.Objects)+len(listing.Folders) == 0 && at.object != "" {
		return ml.Errorf(ml.NotFound, "nothing is called %s", arg)
	}
	if f := c.String("format"); f == "json" || f == "yaml" {
		return printValue(c, listing.Objects)
	}
	printListing(c, at.bucket, listing)
	return nil
}

// matching gives what a location stands for: what is in the folder of that
// name, the object of that name, or what a "*" matches.
func matching(c *cli.Context, daemon *client.Client, at location) (*client.Listing, error) {
	if prefix, ok := at.wildcard(); ok {
		return daemon.List(c.Context, at.bucket, prefix, c.Bool("recursive"))
	}
	listing, err := daemon.List(c.Context, at.bucket, at.prefix(), c.Bool("recursive"))
	if err != nil || at.folder() {
		return listing, err
	}
	object, err := daemon.Object(c.Context, at.bucket, at.object)
	switch {
	case ml.KindOf(err) == ml.NotFound:
		return listing, nil
	case err != nil:
		return nil, err
	}
	object.Bucket = at.bucket
	listing.Objects = append([]client.Object{*object}, listing.Objects...)
	return listing, nil
}

func printListing(c *cli.Context, bucket string, listing *client.Listing) {
	w := c.App.Writer
	if !c.Bool("long") {
		var names []string
		for _, o := range listing.Objects {
			names = append(names, o.URI())
		}
		for _, f := range listing.Folders {
			names = append(names, "gs://"+bucket+"/"+f)
		}
		slices.Sort(names)
		if len(names) > 0 {
			fmt.Fprintln(w, strings.Join(names, "\n"))
		}
		return
	}
	var total int64
	slices.SortFunc(listing.Objects, func(a, b client.Object) int { return cmp.Compare(a.Name, b.Name) })
	for _, o := range listing.Objects {
		fmt.Fprintf(w, "%12d  %s  %s\n", o.Size, o.Updated.UTC().Format("2006-01-02T15:04:05Z"), o.URI())
		total += int64(o.Size)
	}
	for _, f := range listing.Folders {
		fmt.Fprintf(w, "%12s  %20s  gs://%s/%s\n", "", "", bucket, f)
	}
	fmt.Fprintf(w, "TOTAL: %d objects, %d bytes (%s)\n", len(listing.Objects), total, bytesText(total))
}
