package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/minio/minio-go/v7"

	"hearth/ml"
)

// Stat implements ObjectReader.
func (m *MinIO) Stat(ctx context.Context, bucket, name string) (*Object, error) {
	r, err := m.lookup(ctx, bucket, name)
	if err != nil {
		return nil, err
	}
	return r.object(bucket, name), nil
}

// lookup gives what is known of an object that is there now. NOT_FOUND. It waits
// for a write of that name that is being committed.
func (m *MinIO) lookup(ctx context.Context, bucket, name string) (*record, error) {
	lock := m.names.of(bucket, name)
	lock.RLock()
	defer lock.RUnlock()
	return m.lookupLocked(ctx, bucket, name)
}

// lookupLocked is lookup for those who hold the name's lock.
func (m *MinIO) lookupLocked(ctx context.Context, bucket, name string) (*record, error) {
	known, err := m.indexed(ctx, bucket, name)
	if err != nil {
		return nil, err
	}
	key := name
	switch {
	case known != nil:
		key = known.Path
	case !fitsKey(name):
		key = hashedKey(name)
	}
	if name == "" {
		return nil, noSuchObject(bucket, name)
	}
	info, err := m.s3.StatObject(ctx, s3Bucket(bucket), key, minio.StatObjectOptions{})
	if err = m.fault(err); gone(err) {
		return nil, m.forget(bucket, name, known)
	}
	if err != nil {
		return nil, err
	}
	if known != nil && known.ETag == info.ETag {
		return known, nil
	}
	info.Key = key
	r, err := m.learn(ctx, bucket, name, info)
	if err != nil {
		return nil, err
	}
	return r, m.keep(bucket, name, r)
}

// indexed gives what the index says of an object; nil if nothing. NOT_FOUND if
// there is no such bucket.
func (m *MinIO) indexed(ctx context.Context, bucket, name string) (r *record, err error) {
	if err := m.needBucket(ctx, bucket); err != nil {
		return nil, err
	}
	err = m.view(func(x index) (err error) {
		r, err = x.record(bucket, name)
		return err
	})
	return r, err
}

// keep puts a record into the index.
func (m *MinIO) keep(bucket, name string, r *record) error {
	return m.update(func(x index) error {
		if err := x.putRecord(bucket, name, r); err != nil {
			return err
		}
		return x.raiseGeneration(r.Generation)
	})
}

// forget takes what the server does not have out of the index, and says
// NOT_FOUND.
func (m *MinIO) forget(bucket, name string, known *record) error {
	if known != nil {
		if err := m.update(func(x index) error { return x.deleteRecord(bucket, name) }); err != nil && !gone(err) {
			return err
		}
	}
	return noSuchObject(bucket, name)
}

// Open implements ObjectReader. The Reader also has the method
// Prepare(n int64) error.
func (m *MinIO) Open(ctx context.Context, bucket, name string) (Reader, error) {
	r, err := m.lookup(ctx, bucket, name)
	if err != nil {
		return nil, err
	}
	return m.reader(ctx, bucket, name, r), nil
}

func (m *MinIO) reader(ctx context.Context, bucket, name string, r *record) *s3Reader {
	return &s3Reader{m: m, ctx: ctx, key: r.Path, etag: r.ETag, object: r.object(bucket, name), end: r.Size}
}

// s3Reader reads an object in pieces, each fetched as fast as the server gives
// it: MinIO lets nobody overwrite an object while somebody reads it, and a slow
// client must not keep a trainer from its checkpoint. The pieces begin small,
// for those who want a small one, and the next is fetched while one is read.
type s3Reader struct {
	m *MinIO
	// ctx is that of Open: an io.Reader has no other place for it.
	ctx    context.Context
	key    string
	etag   string
	object *Object
	// at is where the next Read begins, end where the last one ends.
	at, end int64
	// piece is the present piece, rest what is unread of it.
	piece *s3Piece
	rest  []byte
	ahead *s3Piece
	size  int64
}

const (
	firstFetch   = 256 << 10
	largestFetch = 8 << 20
)

// s3Piece is a part of an object on its way. done is closed when data or err is
// there.
type s3Piece struct {
	from, size int64
	data       []byte
	err        error
	done       chan struct{}
	cancel     context.CancelFunc
}

var (
	pieces      = sync.Pool{New: func() any { b := make([]byte, largestFetch); return &b }}
	smallPieces = sync.Pool{New: func() any { b := make([]byte, firstFetch); return &b }}
)

// poolOf gives the pool of the buffers for a piece of size bytes.
func poolOf(size int64) *sync.Pool {
	if size <= firstFetch {
		return &smallPieces
	}
	return &pieces
}

func (r *s3Reader) Object() *Object { return r.object }

// Prepare says that no more than n bytes will be read from here, which saves
// reading ahead, and fetches the first of them: so a server that is not there
// shows before anything was read.
func (r *s3Reader) Prepare(n int64) error {
	r.end = min(r.object.Size, r.at+n)
	if r.at >= r.end {
		return nil
	}
	return r.next()
}

func (r *s3Reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.at >= r.end {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	r.at += int64(n)
	return n, nil
}

// next makes the piece at r.at the present one.
func (r *s3Reader) next() error {
	r.piece.free()
	r.piece, r.ahead = r.ahead, nil
	if r.piece != nil && r.piece.from != r.at {
		r.piece.free()
		r.piece = nil
	}
	if r.piece == nil {
		r.size = firstFetch
		r.piece = r.fetch(r.at)
	}
	from := r.at + r.piece.size
	if from < r.end {
		r.ahead = r.fetch(from)
	}
	select {
	case <-r.piece.done:
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	r.rest = r.piece.data
	return r.piece.err
}

// fetch begins to read the piece at an offset.
func (r *s3Reader) fetch(from int64) *s3Piece {
	size := min(r.size, r.end-from)
	r.size = min(r.size*4, largestFetch)
	ctx, cancel := context.WithCancel(r.ctx)
	p := &s3Piece{from: from, size: size, done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(p.done)
		p.data, p.err = r.get(ctx, from, size)
	}()
	return p
}

// get reads a piece of the generation that was opened.
func (r *s3Reader) get(ctx context.Context, from, size int64) ([]byte, error) {
	var o minio.GetObjectOptions
	err := errors.Join(o.SetRange(from, from+size-1), o.SetMatchETag(r.etag))
	if err != nil {
		return nil, err
	}
	rc, _, _, err := r.m.s3.GetObject(ctx, s3Bucket(r.object.Bucket), r.key, o)
	if err = r.m.fault(err); errors.Is(err, ErrConditionNotMet) || gone(err) {
		return nil, ml.Errorf(ml.Aborted, "gs://%s/%s was overwritten or deleted while it was being read.", r.object.Bucket, r.object.Name)
	}
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	b := *poolOf(size).Get().(*[]byte)
	if _, err := io.ReadFull(rc, b[:size]); err != nil {
		poolOf(size).Put(&b)
		return nil, r.m.fault(fmt.Errorf("read gs://%s/%s: %w", r.object.Bucket, r.object.Name, err))
	}
	return b[:size], nil
}

// free gives a piece's memory back once nobody writes to it.
func (p *s3Piece) free() {
	if p == nil {
		return
	}
	p.cancel()
	<-p.done
	if p.data != nil {
		b := p.data[:cap(p.data)]
		poolOf(p.size).Put(&b)
		p.data = nil
	}
}

func (r *s3Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.object.Size
	}
	if offset < 0 {
		return 0, ml.Errorf(ml.InvalidArgument, "seek to before the object")
	}
	if offset != r.at {
		r.drop()
		r.at, r.end = offset, r.object.Size
	}
	return offset, nil
}

func (r *s3Reader) drop() {
	r.piece.free()
	r.ahead.free()
	r.piece, r.ahead, r.rest = nil, nil, nil
}

func (r *s3Reader) Close() error {
	r.drop()
	return nil
}
