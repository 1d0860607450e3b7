package object

import (
	"context"
	"errors"
	"fmt"
	"os"

	"hearth/ml"
)

// content is an open object of a Local.
type content struct {
	*os.File
	object *Object
}

func (c *content) Object() *Object { return c.object }

// Descriptor gives the file itself, for those who know how to send one without
// copying it. It is closed with the Reader.
func (c *content) Descriptor() *os.File { return c.File }

// Open implements ObjectReader. The Reader also has the method
// Descriptor() *os.File.
func (l *Local) Open(_ context.Context, bucket, name string) (Reader, error) {
	c, err := l.open(bucket, name)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (l *Local) open(bucket, name string) (*content, error) {
	if err := l.settleForReader(bucket, name); err != nil {
		return nil, err
	}
	lock := l.names.of(bucket, name)
	lock.RLock()
	defer lock.RUnlock()
	return l.openLocked(bucket, name)
}

// settleForReader settles the intent that an error left on a name, if one did:
// until then record and file may not belong together.
func (l *Local) settleForReader(bucket, name string) error {
	if _, ok := l.leftovers.Load(string(intentKey(bucket, name))); !ok {
		return nil
	}
	lock := l.names.of(bucket, name)
	lock.Lock()
	defer lock.Unlock()
	return l.settleLeftover(bucket, name)
}

// openLocked is open for those who hold the name's lock, so that the file is
// the record's.
func (l *Local) openLocked(bucket, name string) (*content, error) {
	r, err := l.lookup(bucket, name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(l.file(bucket, r.Path))
	if errors.Is(err, os.ErrNotExist) || blocked(err) {
		return nil, &ml.Error{Kind: ml.DataLoss, Message: fmt.Sprintf("The file of gs://%s/%s is gone from the data folder.", bucket, name), Err: err}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info.Size() != r.Size {
		err := ml.Errorf(ml.DataLoss, "The file of gs://%s/%s has %d bytes instead of %d: somebody changed it in the data folder.", bucket, name, info.Size(), r.Size)
		return nil, errors.Join(err, f.Close())
	}
	return &content{f, r.object(bucket, name)}, nil
}

// Stat implements ObjectReader.
func (l *Local) Stat(_ context.Context, bucket, name string) (*Object, error) {
	r, err := l.lookup(bucket, name)
	if err != nil {
		return nil, err
	}
	return r.object(bucket, name), nil
}

func (l *Local) lookup(bucket, name string) (r *record, err error) {
	err = l.view(func(x index) (err error) {
		r, err = x.existing(bucket, name)
		return err
	})
	return r, err
}
