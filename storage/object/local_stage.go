package object

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"hearth/ml/crash"
)

// staged is complete and durable content that has no name yet.
type staged struct {
	path string // relative to the store's folder
	sums
	components int
	upload     string // the upload that it comes from
	moved      *moved // the object that it is taken from
}

const copyBuffer = 256 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}

// spaceEvery is after how many bytes a write looks again whether there is room.
const spaceEvery = 16 << 20

// pour copies from r to its end into f and the digest. What the digest says was
// written is written, whatever the error. Errors of r come back as they are.
func (l *Local) pour(ctx context.Context, f *os.File, d *digest, r io.Reader) error {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	unchecked := int64(spaceEvery)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if unchecked >= spaceEvery {
			if err := l.checkSpace(0); err != nil {
				return err
			}
			unchecked = 0
		}
		n, rerr := r.Read(*b)
		if n > 0 {
			if _, err := f.Write((*b)[:n]); err != nil {
				return diskError(err)
			}
			_, _ = d.Write((*b)[:n])
			unchecked += int64(n)
		}
		if rerr == io.EOF {
			return nil
		}
		if rerr != nil {
			return rerr
		}
	}
}

// stage writes the content of r, which will be the object p, to a file of its
// own.
func (l *Local) stage(ctx context.Context, p PutRequest, components int, r io.Reader) (st *staged, err error) {
	f, err := os.CreateTemp(filepath.Join(l.dir, stageDir), "put-*")
	if err != nil {
		return nil, fmt.Errorf("stage an object: %w", diskError(err))
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	d := newDigest()
	if err := l.pour(ctx, f, d, r); err != nil {
		return nil, err
	}
	writeNote(f.Name(), p.Bucket, p.Name, note{Attributes: p.Attributes, Components: components})
	crash.Point("object staged")
	if err := f.Sync(); err != nil {
		return nil, fmt.Errorf("stage an object: %w", diskError(err))
	}
	return &staged{path: filepath.Join(stageDir, filepath.Base(f.Name())), sums: d.sums(), components: components}, nil
}

// digestFile computes the sums of a file.
func digestFile(f io.Reader) (*digest, error) {
	d := newDigest()
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	_, err := io.CopyBuffer(d, struct{ io.Reader }{f}, *b)
	return d, err
}
