package object

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/minio/minio-go/v7"

	"hearth/ml/crash"
)

// How an object is written. Its content is collected in memory, checksums
// computed on the way. What fits into one part is put in one request, all of its
// metadata with it; what does not is sent in parts as it comes, under the key
// that it is to have, where S3 shows it only when it is complete. Conditions are
// checked, and the generation given out, under the name's lock: that is held
// from then until the server has answered and the index knows, not while a
// client sends. A crash before the server has the whole leaves the old object; one
// after it leaves the new one, and the index learns of it by its ETag.

// Parts are of this size; beyond every growEvery parts it doubles, because S3
// allows 10,000 parts.
const (
	partSize  = 16 << 20
	growEvery = 2000
)

// part is one part that the server has.
type part struct {
	ETag string `json:"etag"`
	Size int64  `json:"size"`
}

// multipart is an upload in parts on the server. An empty ID says that none has
// begun.
type multipart struct {
	ID    string `json:"id,omitempty"`
	Key   string `json:"key,omitempty"`
	Parts []part `json:"parts,omitempty"`
}

func (u *multipart) size() (n int64) {
	for _, p := range u.Parts {
		n += p.Size
	}
	return n
}

// partLimit is the size of the next part.
func (u *multipart) partLimit() int { return partSize << (len(u.Parts) / growEvery) }

// s3Writer collects content and sends it on in parts.
type s3Writer struct {
	m       *MinIO
	put     PutRequest
	up      multipart
	release func() // of the reservation of up.Key
	digest  *digest
	// components counts what the object is composed of; 0 if it is not.
	components int
	// tail is what no part has yet.
	tail    []byte
	sending *sending
}

// sending is a part on its way.
type sending struct {
	content []byte
	part    part
	err     error
	done    chan struct{}
}

var partBuffers = sync.Pool{New: func() any { b := make([]byte, 0, partSize); return &b }}

func (m *MinIO) newWriter(p PutRequest) *s3Writer {
	return &s3Writer{m: m, put: p, digest: newDigest(), release: func() {}}
}

// readFrom takes r to its end. What the digest says was read is in the parts or
// in the tail, whatever the error. Errors of r come back as they are.
func (w *s3Writer) readFrom(ctx context.Context, r io.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(w.tail) >= w.up.partLimit() {
			if err := w.send(ctx); err != nil {
				return err
			}
		}
		w.grow()
		n, err := r.Read(w.tail[len(w.tail):min(cap(w.tail), w.up.partLimit())])
		_, _ = w.digest.Write(w.tail[len(w.tail) : len(w.tail)+n])
		w.tail = w.tail[:len(w.tail)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// grow makes room in the tail. It begins small, since most objects are.
func (w *s3Writer) grow() {
	if len(w.tail) < cap(w.tail) {
		return
	}
	var bigger []byte
	switch want := max(64<<10, 4*cap(w.tail)); {
	case want < partSize:
		bigger = make([]byte, 0, want)
	case w.up.partLimit() == partSize:
		bigger = (*partBuffers.Get().(*[]byte))[:0]
	default:
		bigger = make([]byte, 0, w.up.partLimit())
	}
	w.tail = append(bigger, w.tail...)
}

func freePart(b []byte) {
	if cap(b) == partSize {
		b = b[:0]
		partBuffers.Put(&b)
	}
}

// send begins to send the tail as the next part, once the one before has gone.
func (w *s3Writer) send(ctx context.Context) error {
	if err := w.settle(); err != nil {
		return err
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	s := &sending{content: w.tail, part: part{Size: int64(len(w.tail))}, done: make(chan struct{})}
	number := len(w.up.Parts) + 1
	w.sending, w.tail = s, nil
	go func() {
		defer close(s.done)
		var got minio.ObjectPart
		got, s.err = w.m.s3.PutObjectPart(ctx, s3Bucket(w.put.Bucket), w.up.Key, w.up.ID, number,
			bytes.NewReader(s.content), s.part.Size, minio.PutObjectPartOptions{DisableContentSha256: true})
		s.part.ETag = got.ETag
	}()
	return nil
}

// settle waits for the part on its way. If it did not arrive, it is the tail
// again.
func (w *s3Writer) settle() error {
	s := w.sending
	if s == nil {
		return nil
	}
	<-s.done
	w.sending = nil
	if s.err != nil {
		w.tail = append(s.content, w.tail...)
		return w.m.fault(s.err)
	}
	w.up.Parts = append(w.up.Parts, s.part)
	freePart(s.content)
	return nil
}

// begin opens the upload in parts.
func (w *s3Writer) begin(ctx context.Context) error {
	if w.up.ID != "" {
		return nil
	}
	key, release, err := w.m.keyFor(ctx, w.put.Bucket, w.put.Name)
	if err != nil {
		return err
	}
	r := w.record()
	r.CRC32C, r.MD5, r.Size = 0, nil, 0
	o, err := putOptions(w.put.Name, r, true)
	if err == nil {
		w.up.ID, err = w.m.s3.NewMultipartUpload(ctx, s3Bucket(w.put.Bucket), key, o)
	}
	if err != nil {
		release()
		return w.m.fault(err)
	}
	w.up.Key, w.release = key, release
	return nil
}

// record is what is known of the object so far.
func (w *s3Writer) record() *record {
	at := now()
	s := w.digest.sums()
	if w.components > 0 {
		s.md5 = nil // as in Cloud Storage
	}
	return &record{
		Generation: w.m.clock.next(at), Metageneration: 1, Size: s.size, CRC32C: s.crc32c, MD5: s.md5, Components: w.components,
		Created: at, Updated: at, Attributes: w.put.Attributes,
	}
}

// abort gives up what has been sent.
func (w *s3Writer) abort(ctx context.Context) {
	_ = w.settle()
	freePart(w.tail)
	w.tail = nil
	w.release()
	w.m.abortMultipart(context.WithoutCancel(ctx), w.put.Bucket, w.up)
}

// abortMultipart frees what the server holds of an upload in parts. What it does
// not hear of, the server removes by itself some day.
func (m *MinIO) abortMultipart(ctx context.Context, bucket string, u multipart) {
	if u.ID == "" {
		return
	}
	if err := m.fault(m.s3.AbortMultipartUpload(ctx, s3Bucket(bucket), u.Key, u.ID)); err != nil && !gone(err) {
		m.o.Log.Warn().Err(err).Str("bucket", bucket).Msg("an upload in parts stays on the S3 server")
	}
}

// keyFor gives the key of an object that is to be written: that of the one that
// is there, or one that fits.
func (m *MinIO) keyFor(ctx context.Context, bucket, name string) (key string, release func(), err error) {
	r, err := m.indexed(ctx, bucket, name)
	if err != nil {
		return "", nil, err
	}
	if r != nil {
		return r.Path, func() {}, nil
	}
	return m.reserve(bucket, name)
}

// Put implements ObjectWriter.
func (m *MinIO) Put(ctx context.Context, p PutRequest, body io.Reader) (*Object, error) {
	if err := m.checkPut(ctx, p); err != nil {
		return nil, err
	}
	w := m.newWriter(p)
	err := w.readFrom(ctx, body)
	var o *Object
	if err == nil {
		o, err = w.finish(ctx)
	}
	if err != nil {
		w.abort(ctx)
	}
	return o, err
}

// checkPut refuses early what finish would refuse after all the content came.
func (m *MinIO) checkPut(ctx context.Context, p PutRequest) error {
	if err := CheckObjectName(p.Name); err != nil {
		return err
	}
	if p.If == (Conditions{}) {
		return m.needBucket(ctx, p.Bucket)
	}
	r, err := m.lookup(ctx, p.Bucket, p.Name)
	_, err = p.If.checkLookup(r, err)
	return err
}

// checkLookup checks conditions on what a lookup found, which may be nothing.
func (c Conditions) checkLookup(r *record, err error) (*record, error) {
	if gone(err) && !errors.Is(err, errNoBucket) {
		r, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r, c.checkRecord(r)
}

// finish makes the object of all that was read.
func (w *s3Writer) finish(ctx context.Context) (*Object, error) {
	if err := w.settle(); err != nil {
		return nil, err
	}
	s := w.digest.sums()
	if err := w.put.Expect.Check(&Object{CRC32C: s.crc32c, MD5: s.md5}); err != nil {
		return nil, err
	}
	if w.up.ID != "" && len(w.tail) > 0 {
		if err := errors.Join(w.send(ctx), w.settle()); err != nil {
			return nil, err
		}
	}
	bucket, name := w.put.Bucket, w.put.Name
	unlock := w.m.lockForWrite(bucket, name)
	defer unlock()
	old, err := w.m.replaced(ctx, bucket, name, w.put.If)
	if err != nil {
		return nil, err
	}
	crash.Point("object intended")
	var r *record
	if w.up.ID == "" {
		r, err = w.putWhole(ctx)
	} else {
		r, err = w.complete(ctx)
	}
	if err != nil {
		return nil, err
	}
	crash.Point("object renamed")
	if err := w.m.commit(ctx, bucket, name, old, r); err != nil {
		return nil, err
	}
	w.release()
	freePart(w.tail)
	w.tail = nil
	return r.object(bucket, name), nil
}

// lockForWrite keeps others from writing a name, and its bucket from going.
func (m *MinIO) lockForWrite(bucket, name string) (unlock func()) {
	b, n := m.buckets.of(bucket, ""), m.names.of(bucket, name)
	b.RLock()
	n.Lock()
	return func() { n.Unlock(); b.RUnlock() }
}

// replaced checks the conditions of a write under the name's lock. It gives what
// is there as far as the index knows; only conditions make it ask the server.
func (m *MinIO) replaced(ctx context.Context, bucket, name string, c Conditions) (*record, error) {
	if c == (Conditions{}) {
		return m.indexed(ctx, bucket, name)
	}
	r, err := m.lookupLocked(ctx, bucket, name)
	return c.checkLookup(r, err)
}

// commit puts what was written into the index.
func (m *MinIO) commit(ctx context.Context, bucket, name string, old, r *record) error {
	if err := m.keep(bucket, name, r); err != nil {
		return err
	}
	if old != nil && old.Sidecar && !r.Sidecar {
		m.dropSidecar(ctx, bucket, name)
	}
	return nil
}

// putWhole writes an object in one request.
func (w *s3Writer) putWhole(ctx context.Context) (*record, error) {
	key, release, err := w.m.keyFor(ctx, w.put.Bucket, w.put.Name)
	if err != nil {
		return nil, err
	}
	defer release()
	r := w.record()
	r.Path = key
	err = w.m.putRecord(ctx, w.put.Bucket, w.put.Name, r, w.tail)
	if refusesKey(err) && !isHashed(key) {
		r.Path = hashedKey(w.put.Name)
		err = w.m.putRecord(ctx, w.put.Bucket, w.put.Name, r, w.tail)
	}
	if err != nil {
		return nil, w.m.fault(err)
	}
	return r, nil
}

// putRecord puts content and metadata under r.Path, and completes r by its ETag.
func (m *MinIO) putRecord(ctx context.Context, bucket, name string, r *record, content []byte) error {
	o, err := putOptions(name, r, false)
	if err != nil {
		return err
	}
	info, err := m.s3.PutObject(ctx, s3Bucket(bucket), r.Path, bytes.NewReader(content), r.Size, "", "", o)
	if err != nil {
		return err
	}
	r.ETag = info.ETag
	return m.needSidecar(ctx, bucket, name, r, o)
}

// needSidecar writes a sidecar where the blob in o had no room for everything.
func (m *MinIO) needSidecar(ctx context.Context, bucket, name string, r *record, o minio.PutObjectOptions) error {
	b, err := decodeBlob(o.UserMetadata[metadataKey])
	if err != nil || !b.Partial {
		return err
	}
	r.Sidecar = true
	return m.putSidecar(ctx, bucket, name, r)
}

// complete makes the object of the parts. The sidecar goes first, for an ETag
// that no object has yet: so there is no moment at which the server has the
// object and nobody knows its checksums.
func (w *s3Writer) complete(ctx context.Context) (*record, error) {
	r := w.record()
	r.Path, r.Sidecar = w.up.Key, true
	if err := w.m.stillFits(w.put.Bucket, w.put.Name, r.Path); err != nil {
		return nil, err
	}
	bucket, name := w.put.Bucket, w.put.Name
	parts, etag := w.up.completion()
	r.ETag = etag
	if err := w.m.putSidecar(ctx, bucket, name, r); err != nil {
		return nil, err
	}
	info, err := w.m.s3.CompleteMultipartUpload(ctx, s3Bucket(bucket), w.up.Key, w.up.ID, parts, minio.PutObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("complete an object: %w", w.m.fault(err))
	}
	w.up = multipart{}
	if info.ETag == etag {
		return r, nil
	}
	r.ETag = info.ETag
	return r, w.m.putSidecar(ctx, bucket, name, r)
}

// stillFits gives errLost if the key of an upload that took its time is no
// longer the one that its object would have.
func (m *MinIO) stillFits(bucket, name, key string) error {
	return m.view(func(x index) error {
		objects, err := x.objects(bucket)
		if err != nil {
			return err
		}
		r, err := x.record(bucket, name)
		switch {
		case err != nil:
			return err
		case r != nil && r.Path != key, r == nil && !isHashed(key) && hasNeighbour(objects, name):
			return errLost
		}
		return nil
	})
}

// completion is how the parts are named to the server, and the ETag that S3's
// servers usually give to what is made of them: the MD5 of the parts' MD5s, and
// how many there are.
func (u *multipart) completion() (parts []minio.CompletePart, etag string) {
	all := md5.New()
	for i, p := range u.Parts {
		parts = append(parts, minio.CompletePart{PartNumber: i + 1, ETag: p.ETag})
		sum, err := hex.DecodeString(p.ETag)
		if err != nil {
			return parts, ""
		}
		_, _ = all.Write(sum)
	}
	return parts, fmt.Sprintf("%x-%d", all.Sum(nil), len(u.Parts))
}
