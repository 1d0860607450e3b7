package cli

import (
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"
)

func storageDuCommand() *cli.Command {
	return &cli.Command{
		Name:      "du",
		Usage:     "Show how much room objects take",
		ArgsUsage: "[gs://BUCKET[/OBJECT]…]",
		Description: `Shows the size of each object below, in bytes; without arguments that of each bucket. ` + namesHelp + `

Examples:

$ hearth storage du gs://digits/jobs
$ hearth storage du -s --readable-sizes 'gs://digits/jobs/*'
$ hearth storage du -s -c`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "summarize", Aliases: []string{"s"}, Usage: "show only the sum of each argument"},
			&cli.BoolFlag{Name: "total", Aliases: []string{"c"}, Usage: "show the sum of all at the end"},
			&cli.BoolFlag{Name: "readable-sizes", Aliases: []string{"r"}, Usage: "show sizes as 1.5 KiB"},
		},
		Action: func(c *cli.Context) error {
			at, summarize, err := readAtAll(c)
			if err != nil {
				return err
			}
			total := int64(0)
			for _, l := range at.locations {
				n, err := usage(at, l, summarize)
				if err != nil {
					return err
				}
				total += n
			}
			if c.Bool("total") {
				printUsage(c, total, "total")
			}
			return nil
		},
	}
}

// readAtAll is readAtObjects where no arguments mean all buckets, of which only
// sums are shown.
func readAtAll(c *cli.Context) (at *atObjects, summarize bool, err error) {
	if c.Args().Present() || len(tail(c)) > 0 {
		at, err := readAtObjects(c)
		return at, c.Bool("summarize"), err
	}
	if err := checkFormat(c); err != nil {
		return nil, false, err
	}
	daemon, err := connect(c)
	if err != nil {
		return nil, false, err
	}
	buckets, err := daemon.Buckets(c.Context)
	if err != nil {
		return nil, false, err
	}
	at = &atObjects{c: c, daemon: daemon}
	for _, b := range buckets {
		at.locations = append(at.locations, location{bucket: b.Name})
	}
	return at, true, nil
}

// usage shows what a location takes.
func usage(at *atObjects, l location, summarize bool) (int64, error) {
	all, err := find(at.c.Context, at.daemon, l, allBelow)
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for _, f := range all {
		sum := int64(0)
		for _, o := range objectsOf([]found{f}) {
			sum += int64(o.Size)
			if !summarize {
				printUsage(at.c, int64(o.Size), o.URI())
			}
		}
		if summarize {
			printUsage(at.c, sum, f.location().String())
		}
		total += sum
	}
	return total, nil
}

func printUsage(c *cli.Context, bytes int64, what string) {
	size := strconv.FormatInt(bytes, 10)
	if c.Bool("readable-sizes") {
		size = bytesText(bytes)
	}
	fmt.Fprintf(c.App.Writer, "%-12s  %s\n", size, what)
}
