package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

var (
	// errMoving says that a file changed while it was looked at.
	errMoving  = errors.New("the file is being changed")
	errSkipped = errors.New("the file was skipped")
)

// file compares one file with the index.
func (w *reindex) file(ctx context.Context, bucket, name, path string) error {
	for range 3 {
		done, err := w.tryFile(ctx, bucket, name, path)
		switch {
		case errors.Is(err, errMoving):
			continue
		case errors.Is(err, os.ErrNotExist), blocked(err), errors.Is(err, errSkipped):
			return nil // not there any more, or not for us
		case errors.Is(err, os.ErrPermission):
			w.skip(bucket, path, "it cannot be read")
			return nil
		case err != nil:
			return fmt.Errorf("look at gs://%s/%s: %w", bucket, name, err)
		}
		w.count(done)
		return nil
	}
	w.skip(bucket, path, "it changes all the time")
	return nil
}

func (w *reindex) tryFile(ctx context.Context, bucket, name, path string) (Reindexed, error) {
	info, err := os.Lstat(w.l.file(bucket, path))
	if err != nil || !info.Mode().IsRegular() {
		return Reindexed{}, errors.Join(err, os.ErrNotExist)
	}
	old, err := w.record(bucket, name)
	if err != nil {
		return Reindexed{}, err
	}
	if old != nil && old.Path == path && old.matches(info) {
		return Reindexed{}, nil
	}
	if old != nil && old.Path != path {
		if _, err := os.Lstat(w.l.file(bucket, old.Path)); err == nil {
			w.skip(bucket, path, "the object has another file")
			return Reindexed{}, errSkipped
		}
	}
	f, err := os.Open(w.l.file(bucket, path))
	if err != nil {
		return Reindexed{}, err
	}
	defer f.Close()
	d, err := digestFile(contextReader{ctx, f})
	if err != nil {
		return Reindexed{}, err
	}
	return w.take(bucket, name, path, info, old, d.sums())
}

// contextReader reads until ctx is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (w *reindex) record(bucket, name string) (r *record, err error) {
	err = w.l.view(func(x index) error {
		r, err = x.record(bucket, name)
		return err
	})
	return r, err
}

// matches reports whether a file is what the record says, as far as size and
// time show. Records of before there were times are believed.
func (r *record) matches(info fs.FileInfo) bool {
	return r.Size == info.Size() && (r.Modified == info.ModTime().UnixNano() || r.Modified == 0 && !info.ModTime().After(r.Created))
}

// take puts a file with these sums into the index, unless something happened to
// it since its info was taken and its record was old.
func (w *reindex) take(bucket, name, path string, info fs.FileInfo, old *record, s sums) (Reindexed, error) {
	l := w.l
	lock := l.names.of(bucket, name)
	lock.Lock()
	defer lock.Unlock()
	if err := l.settleLeftover(bucket, name); err != nil {
		return Reindexed{}, err
	}
	file := l.file(bucket, path)
	again, err := os.Lstat(file)
	if err != nil {
		return Reindexed{}, err
	}
	if !os.SameFile(info, again) || again.Size() != s.size || !again.ModTime().Equal(info.ModTime()) {
		return Reindexed{}, errMoving
	}
	n := readNote(file, bucket, name)
	done := Reindexed{Bytes: s.size}
	err = l.update(func(x index) error {
		now, err := x.record(bucket, name)
		if err != nil {
			return err
		}
		if (now == nil) != (old == nil) || now != nil && (now.Generation != old.Generation || now.Path != old.Path) {
			return errMoving
		}
		r := record{Path: path, Size: s.size, CRC32C: s.crc32c, MD5: s.md5, Modified: info.ModTime().UnixNano(), Metageneration: 1}
		switch {
		case now != nil && now.Size == s.size && now.CRC32C == s.crc32c:
			// Only touched, or moved by hand.
			now.Path, now.Modified = r.Path, r.Modified
			return x.putRecord(bucket, name, now)
		case now != nil:
			r.Attributes = now.Attributes
			done.Changed = 1
			err = x.renew(&r)
		default:
			done.Added = 1
			err = x.adopt(&r, n)
		}
		if err != nil {
			return err
		}
		return x.putRecord(bucket, name, &r)
	})
	return done, err
}

// renew makes r a generation that begins now.
func (x index) renew(r *record) (err error) {
	r.Created = now()
	r.Updated = r.Created
	r.Generation, err = x.nextGeneration(r.Created)
	return err
}

// adopt makes r an object that the index did not have, as its file and its note
// say.
func (x index) adopt(r *record, n note) (err error) {
	modified := time.Unix(0, r.Modified).UTC().Truncate(time.Microsecond)
	r.Created, r.Updated, r.Attributes = modified, modified, n.Attributes
	if r.Components = n.Components; n.Components > 0 {
		r.MD5 = nil
	}
	if n.Generation > 0 && n.Modified == r.Modified {
		r.Generation, r.Metageneration = n.Generation, n.Metageneration
		return x.raiseGeneration(n.Generation)
	}
	r.Generation, err = x.nextGeneration(modified)
	return err
}
