package cli

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

// rsync makes one folder like another.
type rsync struct {
	c        *cli.Context
	daemon   *client.Client
	from, to location
	exclude  *regexp.Regexp
}

func newRsync(c *cli.Context, daemon *client.Client, source, destination string) (*rsync, error) {
	s := &rsync{c: c, daemon: daemon}
	var err error
	if s.from, err = parseLocation(c, source); err != nil {
		return nil, err
	}
	if s.to, err = parseLocation(c, destination); err != nil {
		return nil, err
	}
	if !s.from.remote() && !s.to.remote() {
		return nil, misuse(c, "neither %s nor %s is in a bucket", s.from, s.to)
	}
	if overlap(s.from, s.to) {
		return nil, misuse(c, "one of %s and %s is in the other", s.from, s.to)
	}
	if x := c.String("exclude"); x != "" {
		if s.exclude, err = regexp.Compile("^(?:" + x + ")"); err != nil {
			return nil, misuse(c, "--exclude %s: %v", x, err)
		}
	}
	return s, nil
}

// syncItem is a file or an object below one of the folders.
type syncItem struct {
	at   location
	size int64
	// modified is a file's time, or that which an object keeps; zero if there is
	// none.
	modified time.Time
	// object is nil for a file.
	object *client.Object
}

// plan compares the folders.
func (s *rsync) plan() (*syncWork, error) {
	source, err := s.items(s.from)
	if err != nil {
		return nil, err
	}
	if len(source) == 0 && s.from.object != "" {
		return nil, ml.Errorf(ml.NotFound, "there is nothing in %s", s.from)
	}
	if info, err := os.Stat(s.from.local); !s.from.remote() && (err != nil || !info.IsDir()) {
		return nil, ml.Errorf(ml.NotFound, "there is no folder %s", s.from)
	}
	target, err := s.items(s.to)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(source))
	verdicts, err := s.compare(names, source, target)
	if err != nil {
		return nil, err
	}
	work := &syncWork{}
	for i, name := range names {
		switch t := s.transfer(name, source[name]); verdicts[i] {
		case differs:
			work.copies = append(work.copies, t)
		case olderOrNewer:
			work.touches = append(work.touches, t)
		}
	}
	if s.c.Bool("delete-unmatched-destination-objects") {
		for _, name := range slices.Sorted(maps.Keys(target)) {
			if _, ok := source[name]; !ok {
				work.removals = append(work.removals, target[name])
			}
		}
	}
	return work, nil
}

func (s *rsync) transfer(name string, item syncItem) transfer {
	t := transfer{from: item.at, to: s.to.below(name), size: item.size}
	if item.object == nil {
		t.modified = item.modified
		return t
	}
	t.object = *item.object
	if !s.to.remote() {
		t.modified = item.modified
		t.to, t.refused = place(s.to, name, *item.object)
	}
	return t
}

// items gives what is below a folder, by names below it.
func (s *rsync) items(at location) (map[string]syncItem, error) {
	items := map[string]syncItem{}
	add := func(name string, item syncItem) {
		if s.exclude == nil || !s.exclude.MatchString(name) {
			items[name] = item
		}
	}
	if !at.remote() {
		err := eachFile(at.local, func(path, name string, info fs.FileInfo) error {
			if s.c.Bool("recursive") || !strings.Contains(name, "/") {
				add(name, syncItem{at: location{local: path}, size: info.Size(), modified: info.ModTime()})
			}
			return nil
		})
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return items, err
	}
	listing, err := s.daemon.List(s.c.Context, at.bucket, at.prefix(), s.c.Bool("recursive"))
	if err != nil {
		return nil, err
	}
	filesOnly := !s.from.remote() || !s.to.remote()
	for i, o := range listing.Objects {
		if filesOnly && isMarker(o) {
			continue
		}
		add(strings.TrimPrefix(o.Name, at.prefix()), syncItem{
			at: location{bucket: o.Bucket, object: o.Name}, size: int64(o.Size), modified: timeOf(o), object: &listing.Objects[i],
		})
	}
	return items, nil
}

// verdict is how something compares with its copy.
type verdict int

const (
	same verdict = iota
	// differs includes that there is no copy.
	differs
	// olderOrNewer has the same content.
	olderOrNewer
)

// compare gives a verdict for each name, in their order.
func (s *rsync) compare(names []string, source, target map[string]syncItem) ([]verdict, error) {
	verdicts := make([]verdict, len(names))
	numbers := make([]int, len(names))
	for i := range numbers {
		numbers[i] = i
	}
	err := each(s.c.Context, parallel(s.c), numbers, func(_ context.Context, i int) (err error) {
		to, ok := target[names[i]]
		if !ok {
			verdicts[i] = differs
			return nil
		}
		verdicts[i], err = s.verdict(source[names[i]], to)
		return err
	}, func(err error) error { return err })
	return verdicts, err
}

func (s *rsync) verdict(from, to syncItem) (verdict, error) {
	if from.size != to.size {
		return differs, nil
	}
	sameTime := !from.modified.IsZero() && from.modified.Unix() == to.modified.Unix()
	bothObjects := from.object != nil && to.object != nil
	if sameTime && !bothObjects && !s.c.Bool("checksums-only") {
		return same, nil
	}
	one, err := from.checksum()
	if err != nil {
		return differs, err
	}
	other, err := to.checksum()
	switch {
	case err != nil || one == "" || one != other:
		return differs, err
	case sameTime || bothObjects || from.modified.IsZero():
		return same, nil
	}
	return olderOrNewer, nil
}

func (i syncItem) checksum() (string, error) {
	if i.object != nil {
		return i.object.CRC32C, nil
	}
	file, err := os.Open(i.at.local)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum, err := client.ChecksumOf(file)
	return sum.String(), err
}
