package object

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"github.com/minio/minio-go/v7"
)

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

// completion is how the parts are named to the server, and the ETag that S3's
// servers usually give to what is made of them: the MD5 of the parts' MD5s, and
// how many there are. It is empty where the parts' ETags are no MD5s.
func (u *multipart) completion() (parts []minio.CompletePart, etag string) {
	var sums []byte
	for i, p := range u.Parts {
		parts = append(parts, minio.CompletePart{PartNumber: i + 1, ETag: p.ETag})
		if sum, err := hex.DecodeString(p.ETag); err == nil && len(sum) == md5.Size {
			sums = append(sums, sum...)
		}
	}
	if len(sums) != len(parts)*md5.Size {
		return parts, ""
	}
	return parts, fmt.Sprintf("%x-%d", md5.Sum(sums), len(parts))
}
