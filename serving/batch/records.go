package batch

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"hearth/ml"
	"hearth/serving/tfrecord"
)

// maxRecord is the longest line, or record, that is read, in bytes.
const maxRecord = 100 << 20

// badRecord is what is wrong with a record that could not be read.
type badRecord struct{ reason string }

func (b *badRecord) Error() string { return b.reason }

// source gives the records of a shard in turn.
type source interface {
	// next appends the next record to dst and gives the place in the file, or what
	// has been decompressed of it, where it begins. A *badRecord costs that record;
	// io.EOF is the end.
	next(dst []byte) (with []byte, at int64, err error)
	// read is how many bytes of the object have been taken.
	read() int64
	Close() error
}

// isGzip reports whether content begins as gzip does.
func isGzip(head []byte) bool { return len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b }

// magic reports whether an object is gzip whatever its name says.
func (e *engine) magic(ctx context.Context, file input) (bool, error) {
	c := e.bucket.open(ctx, file, 0, 2)
	defer c.Close()
	head := make([]byte, min(2, file.Size))
	_, err := io.ReadFull(c, head)
	return isGzip(head), err
}

// bufferSize is what is read ahead of each shard.
const bufferSize = 1 << 20

// openShard gives the records of a shard.
func (e *engine) openShard(ctx context.Context, file input, s shard) (source, error) {
	start := s.Start
	if !e.records() && start > 0 {
		start-- // does the line before it end there?
	}
	c := e.bucket.open(ctx, file, start, s.End)
	counted := &counter{r: c}
	buffered := bufio.NewReaderSize(counted, bufferSize)
	reader, whole := buffered, s.Start == 0 && s.End == file.Size
	if head, err := buffered.Peek(2); whole && isGzip(head) {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return &broken{c, counted, &badRecord{"the gzip file is damaged: " + err.Error()}}, nil
		}
		reader = bufio.NewReaderSize(z, bufferSize)
	} else if err != nil && err != io.EOF {
		return nil, err
	}
	if e.records() {
		return &recordSource{r: tfrecord.NewReader(reader, maxRecord), content: c, counted: counted, start: s.Start}, nil
	}
	l := &lineSource{r: reader, content: c, counted: counted, at: s.Start, end: s.End, raw: e.raw}
	if reader != buffered {
		l.end = 1<<63 - 1
	}
	if start < s.Start {
		return l, l.align()
	}
	return l, nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// broken is a shard of which nothing can be read.
type broken struct {
	content *content
	counted *counter
	bad     *badRecord
}

func (b *broken) next(dst []byte) ([]byte, int64, error) {
	if b.bad == nil {
		return dst, 0, io.EOF
	}
	bad := b.bad
	b.bad = nil
	return dst, 0, bad
}

func (b *broken) read() int64  { return b.counted.n }
func (b *broken) Close() error { return b.content.Close() }

// lineSource gives lines.
type lineSource struct {
	r       *bufio.Reader
	content *content
	counted *counter
	at, end int64
	// raw lines are records even if there is nothing in them.
	raw  bool
	over error
}

func (l *lineSource) read() int64  { return l.counted.n }
func (l *lineSource) Close() error { return l.content.Close() }

// align steps over the rest of the line that began before the shard.
func (l *lineSource) align() error {
	_, length, err := l.line(nil, 0)
	l.at += length - 1
	if err == io.EOF {
		l.over, err = io.EOF, nil
	}
	return err
}

func (l *lineSource) next(dst []byte) ([]byte, int64, error) {
	for {
		if l.over != nil {
			return dst, l.at, l.over
		}
		if l.at >= l.end {
			return dst, l.at, io.EOF
		}
		at, before := l.at, len(dst)
		with, length, err := l.line(dst, maxRecord+2)
		l.at += length
		switch {
		case err == io.EOF:
			l.over = io.EOF
			if length == 0 {
				return dst, at, io.EOF
			}
		case err != nil && l.damaged(err):
			l.over = io.EOF
			return dst, at, &badRecord{"the gzip file is damaged: " + err.Error()}
		case err != nil:
			return dst, at, err
		}
		line := bytes.TrimSuffix(with[before:], []byte("\r"))
		if length > maxRecord+2 || len(line) > maxRecord {
			return dst, at, &badRecord{fmt.Sprintf("the line has %d bytes; at most %d are read", length, maxRecord)}
		}
		if l.raw || len(bytes.TrimSpace(line)) > 0 {
			return with[:before+len(line)], at, nil
		}
	}
}

// damaged reports whether an error is about the content, not about reading it.
func (l *lineSource) damaged(err error) bool {
	var shown *ml.Error
	return !errors.As(err, &shown) && l.content.ctx.Err() == nil
}

// line appends the next line without its end to dst, as much of it as most bytes,
// and gives its length with that. It is followed to its end beyond the shard's.
func (l *lineSource) line(dst []byte, most int) (with []byte, length int64, err error) {
	before := len(dst)
	for {
		part, err := l.r.ReadSlice('\n')
		length += int64(len(part))
		ended := err == nil
		if ended {
			part = part[:len(part)-1]
		}
		if len(dst)-before+len(part) <= most {
			dst = append(dst, part...)
		}
		switch {
		case ended:
			return dst, length, nil
		case err == bufio.ErrBufferFull:
		case err == io.EOF && l.content.extend(bufferSize):
		default:
			return dst, length, err
		}
	}
}

// recordSource gives the records of a TFRecord.
type recordSource struct {
	r       *tfrecord.Reader
	content *content
	counted *counter
	start   int64
	over    bool
}

func (s *recordSource) read() int64  { return s.counted.n }
func (s *recordSource) Close() error { return s.content.Close() }

func (s *recordSource) next(dst []byte) ([]byte, int64, error) {
	at := s.start + s.r.Offset()
	if s.over {
		return dst, at, io.EOF
	}
	record, err := s.r.Next()
	if err == nil {
		return append(dst, record...), at, nil
	}
	var shown *ml.Error
	if err == io.EOF || errors.As(err, &shown) || s.content.ctx.Err() != nil {
		return dst, at, err
	}
	s.over = true // nothing can be found behind it
	if !errors.Is(err, tfrecord.ErrCorrupt) {
		return dst, at, &badRecord{"the gzip file is damaged: " + err.Error()}
	}
	return dst, at, &badRecord{err.Error() + "; what follows is not read"}
}

// recordBounds walks over the heads of a TFRecord's records to find those with
// which parts can begin.
func (e *engine) recordBounds(ctx context.Context, file input) ([]int64, error) {
	c := e.bucket.open(ctx, file, 0, file.Size)
	defer c.Close()
	r := bufio.NewReaderSize(c, bufferSize)
	bounds := []int64{0}
	for at := int64(0); at < file.Size; {
		if at-bounds[len(bounds)-1] >= e.task.ShardBytes {
			bounds = append(bounds, at)
		}
		head, err := r.Peek(tfrecord.HeadSize)
		if err != nil && err != io.EOF {
			return nil, err
		}
		length, ok := tfrecord.Length(head)
		if !ok || length > maxRecord {
			break // whoever reads it will say so
		}
		whole := tfrecord.HeadSize + length + tfrecord.TailSize
		if at += whole; whole <= int64(r.Buffered()) || whole < 4*bufferSize {
			if _, err := r.Discard(int(whole)); err == io.EOF {
				break
			} else if err != nil {
				return nil, err
			}
			continue
		}
		c.skip(whole - int64(r.Buffered()))
		r.Reset(c)
	}
	return append(bounds, file.Size), nil
}
