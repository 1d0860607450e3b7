package object

import (
	"bytes"
	"context"
	"strings"

	bolt "go.etcd.io/bbolt"
)

const defaultListMax = 1000

// List implements ObjectReader. It reads the index in order and jumps over what
// a prefix folds, so that a page costs what it shows.
func (l *Local) List(_ context.Context, bucket string, o ListOptions) (*ListResult, error) {
	if o.Max <= 0 {
		o.Max = defaultListMax
	}
	s := scan{ListOptions: o, bucket: bucket}
	err := l.view(func(x index) error {
		objects, err := x.objects(bucket)
		if err != nil {
			return err
		}
		s.c = objects.Cursor()
		return s.run()
	})
	if err != nil {
		return nil, err
	}
	return &s.res, nil
}

// scan is one listing under way.
type scan struct {
	ListOptions
	bucket string
	c      *bolt.Cursor
	res    ListResult
	last   string // what was added last
}

func (s *scan) run() error {
	k, v := s.first()
	for k != nil && s.within(k) {
		if len(s.res.Objects)+len(s.res.Prefixes) >= s.Max {
			s.res.Next = s.last
			return nil
		}
		if s.Match != nil && !s.Match(string(k)) {
			k, v = s.c.Next()
			continue
		}
		if folded := s.fold(string(k)); folded != "" {
			if s.TrailingDelimiter && folded == string(k) {
				if err := s.add(k, v); err != nil {
					return err
				}
			}
			s.res.Prefixes = append(s.res.Prefixes, folded)
			s.last = folded
			k, v = s.seekBehind(folded)
			continue
		}
		if err := s.add(k, v); err != nil {
			return err
		}
		k, v = s.c.Next()
	}
	return nil
}

// first goes to where the page begins.
func (s *scan) first() (k, v []byte) {
	if start, ok := s.start(); ok {
		return s.c.Seek([]byte(start))
	}
	return nil, nil
}

// start gives the lowest name that the page may begin with; ok is false if
// there can be none.
func (s *scan) start() (start string, ok bool) {
	start = max(s.Prefix, s.StartOffset)
	switch {
	case s.StartAfter == "":
	case s.fold(s.StartAfter) == s.StartAfter:
		next := behind(s.StartAfter)
		if next == nil {
			return "", false
		}
		start = max(start, string(next))
	default:
		start = max(start, s.StartAfter+"\x00") // the next name there can be
	}
	return start, true
}

func (s *scan) within(k []byte) bool {
	return bytes.HasPrefix(k, []byte(s.Prefix)) && (s.EndOffset == "" || string(k) < s.EndOffset)
}

// fold gives the prefix that a name is shown as, empty if it is shown itself.
func (s *scan) fold(name string) string {
	if s.Delimiter == "" || !strings.HasPrefix(name, s.Prefix) {
		return ""
	}
	i := strings.Index(name[len(s.Prefix):], s.Delimiter)
	if i < 0 {
		return ""
	}
	return name[:len(s.Prefix)+i+len(s.Delimiter)]
}

// seekBehind goes to the first name that does not begin with prefix.
func (s *scan) seekBehind(prefix string) (k, v []byte) {
	if next := behind(prefix); next != nil {
		return s.c.Seek(next)
	}
	return nil, nil
}

// behind gives the lowest key above all that begin with prefix; nil if there is
// none.
func behind(prefix string) []byte {
	b := []byte(prefix)
	for len(b) > 0 {
		if b[len(b)-1]++; b[len(b)-1] != 0 {
			return b
		}
		b = b[:len(b)-1]
	}
	return nil
}

func (s *scan) add(k, v []byte) error {
	r, err := decodeRecord(v)
	if err != nil {
		return err
	}
	s.last = string(k)
	s.res.Objects = append(s.res.Objects, r.object(s.bucket, s.last))
	return nil
}
