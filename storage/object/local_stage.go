package object

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

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

// spaceEvery is after how many bytes a write looks again whether there is room.
const spaceEvery = 16 << 20

// pour copies from r to its end into f and the digest. What the digest says was
// written is written, whatever the error. Errors of r come back as they are.
func (l *Local) pour(ctx context.Context, f *os.File, d *digest, r io.Reader) error {
	if err := l.checkSpace(0); err != nil {
		return err
	}
	sums := d.follow()
	b := sums.buffer()
	defer func() { sums.end(b) }()
	unchecked := int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if unchecked >= spaceEvery {
			if err := l.checkSpace(0); err != nil {
				return err
			}
			unchecked = 0
			beginSync(f)
		}
		n, rerr := readWhole(*b, r)
		if n > 0 {
			if _, err := f.Write((*b)[:n]); err != nil {
				return diskError(err)
			}
			unchecked += int64(n)
			sums.add(b, n)
			b = sums.buffer()
		}
		if rerr == io.EOF {
			return nil
		}
		if rerr != nil {
			return rerr
		}
	}
}

// readWhole reads until b is full or r ends. Unlike io.ReadFull it gives r's errors as
// they are.
func readWhole(b []byte, r io.Reader) (n int, err error) {
	for n < len(b) && err == nil {
		var more int
		more, err = r.Read(b[n:])
		n += more
	}
	return n, err
}

// beginSync has the kernel begin to write what is in f, so that the sync at the
// end has less to wait for. It promises nothing.
func beginSync(f *os.File) { _ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) }

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
