package logs

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// source is a file that is read.
type source interface {
	io.ReaderAt
	io.Closer
	// Size is the file's size when it was opened.
	Size() int64
}

type osFile struct {
	*os.File
	size int64
}

func (f osFile) Size() int64 { return f.size }

// noFile stands for a file that is not there (yet).
type noFile struct{}

func (noFile) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (noFile) Close() error                      { return nil }
func (noFile) Size() int64                       { return 0 }

// openFile opens a regular file. Anything else under its name counts as
// missing: a process may be able to put a link or a pipe there.
func openFile(path string) (source, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		return noFile{}, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return noFile{}, f.Close()
	}
	return osFile{f, info.Size()}, nil
}

// lineStart gives the offset at which the line that holds offset off begins;
// off itself if the byte before it ends a line. Before floor there is nothing.
func lineStart(src source, off, floor int64) (int64, error) {
	buf := make([]byte, 4<<10)
	for off > floor {
		n := min(int64(len(buf)), off-floor)
		if _, err := src.ReadAt(buf[:n], off-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return off - n + int64(i) + 1, nil
		}
		off -= n
		if len(buf) < bufferSize {
			buf = make([]byte, bufferSize)
		}
	}
	return floor, nil
}

// offsetDigits is how many hexadecimal digits an InsertID ends in.
const offsetDigits = 12

// idPrefix is what the InsertIDs of one file begin with; the offset of the
// entry in the file follows. A task is known by its hash: its name has no
// fixed length, and its rank among the tasks changes when one is added. So the
// order of two tasks in the same nanosecond is arbitrary, but always the same.
func idPrefix(attempt int, task string, stream int) string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, task) // never fails
	return fmt.Sprintf("%04x%016x%x", attempt, h.Sum64(), stream)
}

func insertID(prefix string, off int64) string {
	return fmt.Sprintf("%s%0*x", prefix, offsetDigits, off)
}

// offsetOf reads the offset from an InsertID that begins with prefix.
func offsetOf(prefix, id string) (off int64, ok bool) {
	if len(id) != len(prefix)+offsetDigits || id[:len(prefix)] != prefix {
		return 0, false
	}
	off, err := strconv.ParseInt(id[len(prefix):], 16, 64)
	return off, err == nil
}
