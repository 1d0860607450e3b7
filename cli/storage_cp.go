package cli

import (
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

func storageCpCommand() *cli.Command {
	return &cli.Command{
		Name:      "cp",
		Usage:     "Copy files and objects, in any direction",
		ArgsUsage: "[-r] SOURCE… DESTINATION",
		Description: `SOURCE and DESTINATION are local paths, gs://BUCKET/OBJECT, or "-" for the standard streams. A source in the bucket may end in "*".

A destination that ends in "/", is a bucket, or is a local folder takes the source in under its own name; any other becomes the copy itself. A folder is copied with -r, under its own name below the destination; written with "/" at its end, only what is in it is copied.

Examples:

$ hearth storage cp digits.csv.gz gs://digits/data/
$ hearth storage cp -r export gs://digits/models
$ hearth storage cp -r gs://digits/jobs/digits_1/export/ ./export
$ hearth storage cp gs://digits/data/digits.csv.gz - | zcat | head`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "recursive", Aliases: []string{"r", "R"}, Usage: "copy folders with all that is in them"}},
		Action: func(c *cli.Context) error {
			given := append(c.Args().Slice(), tail(c)...)
			if len(given) < 2 {
				return misuse(c, "SOURCE and DESTINATION are needed")
			}
			to, err := parseLocation(c, given[len(given)-1])
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			job := copier{c: c, daemon: daemon, to: to, into: to.folder() || isFolder(to)}
			if len(given) > 2 && !job.into {
				return misuse(c, "several sources need a folder as destination: write %s/", to)
			}
			for _, source := range given[:len(given)-1] {
				if err := job.copy(source); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func isFolder(l location) bool {
	if l.remote() || l.stream() {
		return false
	}
	info, err := os.Stat(l.local)
	return err == nil && info.IsDir()
}

// copier copies sources to one destination.
type copier struct {
	c      *cli.Context
	daemon *client.Client
	to     location
	into   bool // the destination takes files in under their own names
}

func (j copier) copy(source string) error {
	from, err := parseLocation(j.c, source)
	if err != nil {
		return err
	}
	recursive := j.c.Bool("recursive")
	switch {
	case from.remote():
		if prefix, ok := from.wildcard(); ok {
			return j.copyMatching(from.bucket, prefix)
		}
		if recursive {
			return j.copyFolder(from)
		}
		if from.object == "" || strings.HasSuffix(from.object, "/") {
			return misuse(j.c, "%s is a folder: copy it with -r", source)
		}
		return j.copyObject(from, j.target(from))
	case from.stream():
		if j.into {
			return misuse(j.c, "what comes from standard input needs a name: %s is a folder", j.to)
		}
		return j.upload(from, j.to)
	case isFolder(from):
		if !recursive {
			return misuse(j.c, "%s is a folder: copy it with -r", source)
		}
		if !j.to.remote() {
			return misuse(j.c, "neither %s nor %s is in a bucket", source, j.to)
		}
		to := j.to
		if !from.folder() {
			to = to.below(baseOfFolder(from.local))
		}
		return uploadTree(j.c, j.daemon, from.local, to)
	}
	return j.upload(from, j.target(from))
}

// target is where a single file goes.
func (j copier) target(from location) location {
	if j.into {
		return j.to.below(from.base())
	}
	return j.to
}

func (j copier) upload(from, to location) error {
	if !to.remote() {
		return misuse(j.c, "neither %s nor %s is in a bucket", from, to)
	}
	return uploadFile(j.c, j.daemon, from, to)
}

// copyObject copies one object to a place in the bucket or on this machine.
func (j copier) copyObject(from, to location) error {
	if !to.remote() {
		return download(j.c, j.daemon, from, to)
	}
	notice(j.c, "%s -> %s", from, to)
	_, err := j.daemon.CopyObject(j.c.Context,
		client.Object{Bucket: from.bucket, Name: from.object}, client.Object{Bucket: to.bucket, Name: to.object})
	return err
}

// copyFolder copies all objects below a location, or the one object there.
func (j copier) copyFolder(from location) error {
	listing, err := j.daemon.List(j.c.Context, from.bucket, from.prefix(), true)
	if err != nil {
		return err
	}
	if len(listing.Objects) == 0 && !from.folder() {
		return j.copyObject(from, j.target(from))
	}
	if len(listing.Objects) == 0 {
		return ml.Errorf(ml.NotFound, "there is nothing in %s", from)
	}
	to := j.to
	if !from.folder() {
		to = to.below(from.base())
	}
	return j.copyEach(listing.Objects, from.prefix(), to)
}

// copyMatching copies what begins with a prefix, with -r what is deeper too.
func (j copier) copyMatching(bucket, prefix string) error {
	listing, err := j.daemon.List(j.c.Context, bucket, prefix, j.c.Bool("recursive"))
	if err != nil {
		return err
	}
	if len(listing.Objects) == 0 {
		return ml.Errorf(ml.NotFound, "nothing matches gs://%s/%s*", bucket, prefix)
	}
	if len(listing.Objects) > 1 && !j.into {
		return misuse(j.c, "several objects need a folder as destination: write %s/", j.to)
	}
	if !j.into {
		o := listing.Objects[0]
		return j.copyObject(location{bucket: bucket, object: o.Name}, j.to)
	}
	return j.copyEach(listing.Objects, prefix[:strings.LastIndexByte(prefix, '/')+1], j.to)
}

// copyEach copies objects below a location, by their names behind a prefix.
// Empty objects that mark folders make no files.
func (j copier) copyEach(objects []client.Object, prefix string, to location) error {
	for _, o := range objects {
		name := strings.TrimPrefix(o.Name, prefix)
		if !to.remote() && (name == "" || strings.HasSuffix(name, "/")) {
			continue
		}
		if !to.remote() && path.Clean("/"+name) != "/"+name {
			return fmt.Errorf("%s has no place in a folder of this machine", o.URI())
		}
		if err := j.copyObject(location{bucket: o.Bucket, object: o.Name}, to.below(name)); err != nil {
			return err
		}
	}
	return nil
}
