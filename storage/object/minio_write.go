package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

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
// object and nobody knows its checksums. Only where the ETag cannot be foretold
// it comes after.
func (w *s3Writer) complete(ctx context.Context) (*record, error) {
	r := w.record()
	r.Path, r.Sidecar = w.up.Key, true
	if err := w.m.stillFits(w.put.Bucket, w.put.Name, r.Path); err != nil {
		return nil, err
	}
	bucket, name := w.put.Bucket, w.put.Name
	parts, etag := w.up.completion()
	r.ETag = etag
	if etag != "" {
		if err := w.m.putSidecar(ctx, bucket, name, r); err != nil {
			return nil, err
		}
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
