package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

func storageRsyncCommand() *cli.Command {
	return &cli.Command{
		Name:      "rsync",
		Usage:     "Make a folder like another one, in any direction",
		ArgsUsage: "[-r] SOURCE DESTINATION",
		Description: `Copies what is missing or differs. A file and an object of the same size and time are taken as the same; otherwise their checksums decide. Objects keep the times of their files in the metadata goog-reserved-file-mtime, and files get them back.

A name that --exclude's regular expression matches at its beginning is neither copied nor deleted; names are those below the folders.

Examples:

$ hearth storage rsync -r data gs://digits/data
$ hearth storage rsync -r gs://digits/jobs/digits_1 ./digits_1 -x 'checkpoints/'
$ hearth storage rsync -r data gs://digits/data --delete-unmatched-destination-objects --dry-run`,
		Flags: append([]cli.Flag{
			recursiveFlag("what is in folders below, too"),
			&cli.BoolFlag{Name: "delete-unmatched-destination-objects", Usage: "delete what is only at the destination"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only say what would be done"},
			&cli.StringFlag{Name: "exclude", Aliases: []string{"x"}, Usage: "leave out the names that `REGEX` matches"},
			&cli.BoolFlag{Name: "checksums-only", Usage: "compare checksums, and not times"},
			parallelFlag(),
		}, attributeFlags()...),
		Action: func(c *cli.Context) error {
			given, err := words(c, "SOURCE", "DESTINATION")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			s, err := newRsync(c, daemon, given[0], given[1])
			if err != nil {
				return err
			}
			work, err := s.plan()
			if err != nil {
				return err
			}
			if c.Bool("dry-run") {
				work.print(c)
				return nil
			}
			return s.carryOut(work)
		},
	}
}

// syncWork is what an rsync has to do.
type syncWork struct {
	copies []transfer
	// touches are those whose content is right and whose time is not.
	touches  []transfer
	removals []syncItem
}

func (w *syncWork) print(c *cli.Context) {
	for _, t := range w.copies {
		fmt.Fprintf(c.App.ErrWriter, "Would copy %s to %s\n", t.from, t.to)
	}
	for _, t := range w.touches {
		fmt.Fprintf(c.App.ErrWriter, "Would set the time of %s\n", t.to)
	}
	for _, item := range w.removals {
		fmt.Fprintf(c.App.ErrWriter, "Would remove %s\n", item.at)
	}
}

// carryOut copies first: what could not be copied keeps anything from being
// deleted.
func (s *rsync) carryOut(work *syncWork) error {
	job, err := newCopier(s.c, s.daemon)
	if err != nil {
		return err
	}
	if len(work.copies) > 0 {
		if err := job.run(work.copies); err != nil {
			return err
		}
	}
	show := newTransferBar(s.c, nil)
	failed := &failures{show: show, total: len(work.touches) + len(work.removals), what: "brought in line"}
	err = each(s.c.Context, job.parallel, work.touches, s.touch, failed.add)
	if err == nil {
		err = each(s.c.Context, job.parallel, work.removals, func(ctx context.Context, item syncItem) error {
			show.line("Removing %s", item.at)
			return s.remove(ctx, item)
		}, failed.add)
	}
	if err != nil {
		return err
	}
	return failed.result()
}

// touch gives a copy the time of its source.
func (s *rsync) touch(ctx context.Context, t transfer) error {
	if !t.to.remote() {
		return os.Chtimes(t.to.local, time.Time{}, t.modified)
	}
	_, err := s.daemon.UpdateObject(ctx, t.to.bucket, t.to.object, map[string]any{"metadata": withTime(nil, t.modified)})
	return err
}

func (s *rsync) remove(ctx context.Context, item syncItem) error {
	if item.at.remote() {
		return s.daemon.DeleteObject(ctx, client.Object{Bucket: item.at.bucket, Name: item.at.object})
	}
	if err := os.Remove(item.at.local); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// overlap reports whether one of two folders of the bucket holds the other.
func overlap(a, b location) bool {
	return a.remote() && a.bucket == b.bucket && (strings.HasPrefix(a.prefix(), b.prefix()) || strings.HasPrefix(b.prefix(), a.prefix()))
}
