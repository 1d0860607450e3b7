package object

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/minio/minio-go/v7"

	"hearth/ml"
)

// source finds what is to be copied.
func (m *MinIO) source(ctx context.Context, bucket, name string, c Conditions) (*record, error) {
	r, err := m.lookup(ctx, bucket, name)
	if err != nil {
		return nil, err
	}
	return r, c.checkRecord(r)
}

// Copy implements ObjectWriter. The server copies the content by itself.
func (m *MinIO) Copy(ctx context.Context, c CopyRequest) (*Object, error) {
	if err := m.checkPut(ctx, PutRequest{Bucket: c.Bucket, Name: c.Name, If: c.If}); err != nil {
		return nil, err
	}
	for {
		src, err := m.source(ctx, c.FromBucket, c.From, c.FromIf)
		if err != nil {
			return nil, err
		}
		o, err := m.copyRecord(ctx, c, src)
		if errors.Is(err, errSourceChanged) && ctx.Err() == nil {
			continue // there is another source now, or none
		}
		return o, err
	}
}

var errSourceChanged = ml.Errorf(ml.Aborted, "The object was overwritten while it was being copied.")

// copyRecord copies the content that src is of.
func (m *MinIO) copyRecord(ctx context.Context, c CopyRequest, src *record) (*Object, error) {
	unlock := m.lockForWrite(c.Bucket, c.Name)
	defer unlock()
	old, err := m.replaced(ctx, c.Bucket, c.Name, c.If)
	if err != nil {
		return nil, err
	}
	key, release, err := m.keyFor(ctx, c.Bucket, c.Name)
	if err != nil {
		return nil, err
	}
	defer release()
	r := *src
	r.Path, r.Sidecar, r.Metageneration = key, false, 1
	r.Created = now()
	r.Updated, r.Generation = r.Created, m.clock.next(r.Created)
	r.Attributes = src.Attributes.Clone()
	if c.Attributes != nil {
		r.Attributes = c.Attributes.Clone()
	}
	if err := m.copyContent(ctx, c, src, &r); err != nil {
		return nil, err
	}
	if err := m.commit(ctx, c.Bucket, c.Name, old, &r); err != nil {
		return nil, err
	}
	return r.object(c.Bucket, c.Name), nil
}

// copyContent has the server copy, and completes r by what it says.
func (m *MinIO) copyContent(ctx context.Context, c CopyRequest, src, r *record) error {
	o, err := putOptions(c.Name, r, false)
	if err != nil {
		return err
	}
	to := minio.CopyDestOptions{
		Bucket: s3Bucket(c.Bucket), Object: r.Path, ReplaceMetadata: true, UserMetadata: o.UserMetadata,
		ContentType: o.ContentType, ContentEncoding: o.ContentEncoding, ContentDisposition: o.ContentDisposition,
		ContentLanguage: o.ContentLanguage, CacheControl: o.CacheControl,
	}
	from := minio.CopySrcOptions{Bucket: s3Bucket(c.FromBucket), Object: src.Path, MatchETag: src.ETag}
	copyObject := m.s3.Client.CopyObject
	if src.Size > maxCopied {
		copyObject = func(ctx context.Context, to minio.CopyDestOptions, from minio.CopySrcOptions) (minio.UploadInfo, error) {
			return m.s3.ComposeObject(ctx, to, from)
		}
	}
	info, err := copyObject(ctx, to, from)
	if err = m.fault(err); errors.Is(err, ErrConditionNotMet) || gone(err) {
		return errSourceChanged
	}
	if err != nil {
		return err
	}
	r.ETag = info.ETag
	return m.needSidecar(ctx, c.Bucket, c.Name, r, o)
}

// Move implements ObjectWriter: a copy, then the source goes. A crash between
// leaves both.
func (m *MinIO) Move(ctx context.Context, v MoveRequest) (*Object, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	src, err := m.source(ctx, v.Bucket, v.From, v.FromIf)
	if err != nil {
		return nil, err
	}
	same := Conditions{GenerationMatch: &src.Generation}
	o, err := m.Copy(ctx, CopyRequest{FromBucket: v.Bucket, From: v.From, FromIf: same, Bucket: v.Bucket, Name: v.To, If: v.If})
	if err != nil {
		return nil, err
	}
	if err := m.Delete(ctx, v.Bucket, v.From, same); err != nil && !gone(err) && !errors.Is(err, ErrConditionNotMet) {
		return nil, err
	}
	return o, nil
}

// minCopiedPart is the least that S3 takes as a part, but for the last one, and
// maxCopied the most that it copies at once.
const (
	minCopiedPart = 5 << 20
	maxCopied     = 5 << 30
)

// Compose implements ObjectWriter. The server puts the sources together where
// they are large enough; small ones are read and written.
func (m *MinIO) Compose(ctx context.Context, c ComposeRequest) (*Object, error) {
	p := PutRequest{Bucket: c.Bucket, Name: c.Name, Attributes: c.Attributes, If: c.If}
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := m.checkPut(ctx, p); err != nil {
		return nil, err
	}
	w := m.newWriter(p)
	o, err := m.composeInto(ctx, w, c)
	if err != nil {
		w.abort(ctx)
	}
	return o, err
}

func (m *MinIO) composeInto(ctx context.Context, w *s3Writer, c ComposeRequest) (*Object, error) {
	var sources []*record
	components := 0
	for _, s := range c.Sources {
		r, err := m.source(ctx, c.Bucket, s.Name, s.If)
		if err != nil {
			return nil, err
		}
		sources = append(sources, r)
		components += max(1, r.Components)
	}
	w.components = components
	for i, r := range sources {
		name := c.Sources[i].Name
		if w.canCopy(r) {
			if err := w.copyPart(ctx, c.Bucket, r); err != nil {
				return nil, err
			}
			continue
		}
		rd := m.reader(ctx, c.Bucket, name, r)
		err := w.readFrom(ctx, io.Reader(rd))
		if err := errors.Join(err, rd.Close()); err != nil {
			return nil, err
		}
	}
	return w.finish(ctx)
}

// canCopy reports whether a source can be a part as it is, copied by the server.
// What was read before it must make a part of its own.
func (w *s3Writer) canCopy(r *record) bool {
	enough := len(w.tail) == 0 || len(w.tail) >= minCopiedPart
	return enough && r.Size >= minCopiedPart && r.Size <= maxCopied && !r.NoCRC32C
}

// copyPart makes a source the next part.
func (w *s3Writer) copyPart(ctx context.Context, bucket string, r *record) error {
	if len(w.tail) > 0 {
		if err := w.send(ctx); err != nil {
			return err
		}
	}
	if err := w.settle(); err != nil {
		return err
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	// The part's ETag is not the source's, so its condition guards the source.
	header := map[string]string{"X-Amz-Copy-Source-If-Match": r.ETag}
	got, err := w.m.s3.CopyObjectPart(ctx, s3Bucket(bucket), r.Path, s3Bucket(bucket), w.up.Key, w.up.ID, len(w.up.Parts)+1, 0, r.Size, header)
	if err = w.m.fault(err); errors.Is(err, ErrConditionNotMet) || gone(err) {
		return errSourceChanged
	}
	if err != nil {
		return err
	}
	w.up.Parts = append(w.up.Parts, part{ETag: strings.Trim(got.ETag, `"`), Size: r.Size})
	w.digest.join(r.CRC32C, r.Size)
	return nil
}

// Update implements ObjectWriter. S3 can change metadata only by a copy of the
// whole, so the change goes into a sidecar.
func (m *MinIO) Update(ctx context.Context, u UpdateRequest) (*Object, error) {
	unlock := m.lockForWrite(u.Bucket, u.Name)
	defer unlock()
	old, err := m.lookupLocked(ctx, u.Bucket, u.Name)
	if err != nil {
		return nil, err
	}
	if err := u.If.checkRecord(old); err != nil {
		return nil, err
	}
	r := *old
	r.Attributes = old.Attributes.Clone()
	if err := u.Change(&r.Attributes); err != nil {
		return nil, err
	}
	r.Metageneration++
	r.Updated, r.Sidecar = now(), true
	if err := m.putSidecar(ctx, u.Bucket, u.Name, &r); err != nil {
		return nil, err
	}
	return r.object(u.Bucket, u.Name), m.keep(u.Bucket, u.Name, &r)
}

// Delete implements ObjectWriter.
func (m *MinIO) Delete(ctx context.Context, bucket, name string, c Conditions) error {
	unlock := m.lockForWrite(bucket, name)
	defer unlock()
	r, err := m.lookupLocked(ctx, bucket, name)
	if err != nil {
		return err
	}
	if err := c.checkRecord(r); err != nil {
		return err
	}
	if err := m.fault(m.s3.RemoveObject(ctx, s3Bucket(bucket), r.Path, minio.RemoveObjectOptions{})); err != nil && !gone(err) {
		return err
	}
	if r.Sidecar {
		m.dropSidecar(ctx, bucket, name)
	}
	return m.update(func(x index) error { return x.deleteRecord(bucket, name) })
}
