package object

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"hearth/ml"
	"hearth/ml/crash"
)

// s3Upload is what the index keeps of an upload in pieces beside uploadRecord.
// Full parts are on the S3 server; the end that makes no part yet is in the file
// .uploads/TAIL, whose name changes with its content.
type s3Upload struct {
	multipart
	Tail string `json:"tail,omitempty"`
	// CRC32C is of all that came, and MD5 the state in which that left the digest.
	CRC32C uint32 `json:"crc32c,omitempty"`
	MD5    []byte `json:"md5,omitempty"`
}

// BeginUpload implements Uploader.
func (m *MinIO) BeginUpload(ctx context.Context, p PutRequest) (string, error) {
	if err := m.checkPut(ctx, p); err != nil {
		return "", err
	}
	if err := m.sweeps.now(func() error { return m.sweepUploads(ctx) }); err != nil {
		return "", err
	}
	id := rand.Text()
	r := newUploadRecord(p)
	return id, m.update(func(x index) error { return x.put(bktUploads, []byte(id), &r) })
}

// takeTurn makes the caller the one who writes to an upload.
func (m *MinIO) takeTurn(ctx context.Context, id string) (give func(), err error) {
	m.uploads.mu.Lock()
	turn := m.uploads.turns[id]
	if turn == nil {
		turn = make(chan struct{}, 1)
		m.uploads.turns[id] = turn
	}
	m.uploads.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *MinIO) forgetTurn(id string) {
	m.uploads.mu.Lock()
	defer m.uploads.mu.Unlock()
	delete(m.uploads.turns, id)
}

// AbortUpload implements Uploader.
func (m *MinIO) AbortUpload(ctx context.Context, id string) error {
	if _, err := m.uploadRecord(id); err != nil {
		return err
	}
	give, err := m.takeTurn(ctx, id)
	if err != nil {
		return err
	}
	defer give()
	r, err := m.uploadRecord(id)
	if err != nil {
		return err
	}
	return m.dropUpload(ctx, id, r)
}

func (m *MinIO) dropUpload(ctx context.Context, id string, r *uploadRecord) error {
	if err := m.update(func(x index) error { return x.tx.Bucket(bktUploads).Delete([]byte(id)) }); err != nil {
		return err
	}
	m.forgetTurn(id)
	if r.Done == nil && r.S3 != nil {
		m.abortMultipart(context.WithoutCancel(ctx), r.Bucket, r.S3.multipart)
	}
	return m.removeTails(id, "")
}

func (m *MinIO) tailFile(name string) string { return filepath.Join(m.o.Dir, uploadDir, name) }

// removeTails removes the files of an upload but one.
func (m *MinIO) removeTails(id, but string) error {
	files, err := filepath.Glob(m.tailFile(id) + ".*")
	for _, f := range files {
		if filepath.Base(f) != but {
			err = errors.Join(err, os.Remove(f))
		}
	}
	return err
}

// AppendUpload implements Uploader.
func (m *MinIO) AppendUpload(ctx context.Context, id string, c Chunk) (*Upload, error) {
	if _, err := m.uploadRecord(id); err != nil {
		return nil, err
	}
	give, err := m.takeTurn(ctx, id)
	if err != nil {
		return nil, err
	}
	defer give()
	r, err := m.uploadRecord(id)
	if err != nil {
		return nil, err
	}
	if r.Done != nil {
		m.forgetTurn(id)
		return r.upload(), nil
	}
	if err := c.checkOffset(r.Size); err != nil {
		return nil, err
	}
	w, err := m.resume(r)
	if err != nil {
		return nil, errors.Join(err, m.dropUpload(ctx, id, r))
	}
	got, err := c.pour(w.digest.size, func(body io.Reader) (int64, error) {
		before := w.digest.size
		err := w.readFrom(ctx, body)
		return w.digest.size - before, err
	})
	err = errors.Join(err, w.settle())
	if err == nil {
		err = c.check(got, w.digest.size)
	}
	if err != nil || !c.Last && w.digest.size != c.Total {
		return m.suspend(id, r, w, err)
	}
	return m.finishUpload(ctx, id, r, w, c.Expect)
}

// resume gives the writer of an upload as it was left.
func (m *MinIO) resume(r *uploadRecord) (*s3Writer, error) {
	w := m.newWriter(r.put())
	if r.S3 == nil {
		return w, nil
	}
	w.up = r.S3.multipart
	var err error
	if w.digest, err = resumeDigest(r.Size, r.S3.CRC32C, r.S3.MD5); err != nil {
		return nil, errLost
	}
	if w.up.ID != "" && !isHashed(w.up.Key) {
		m.keys.add(r.Bucket, w.up.Key, 1)
		key := w.up.Key
		w.release = sync.OnceFunc(func() { m.keys.add(r.Bucket, key, -1) })
	}
	if r.S3.Tail != "" {
		tail, err := os.ReadFile(m.tailFile(r.S3.Tail))
		if err != nil {
			return nil, errLost
		}
		w.tail = tail
	}
	if w.up.size()+int64(len(w.tail)) != r.Size {
		return nil, errLost
	}
	return w, nil
}

// suspend keeps durably how far an upload is, and gives back why it goes no
// further now.
func (m *MinIO) suspend(id string, r *uploadRecord, w *s3Writer, why error) (*Upload, error) {
	defer w.release()
	if w.digest.size == r.Size && r.S3 != nil {
		return r.upload(), why
	}
	if err := m.keepUpload(id, r, w); err != nil {
		return nil, errors.Join(why, err)
	}
	return r.upload(), why
}

func (m *MinIO) keepUpload(id string, r *uploadRecord, w *s3Writer) error {
	s := &s3Upload{multipart: w.up, CRC32C: w.digest.crc}
	var err error
	if s.MD5, err = w.digest.state(); err != nil {
		return err
	}
	if len(w.tail) > 0 {
		s.Tail = fmt.Sprintf("%s.%d", id, w.digest.size)
		if err := writeDurably(m.tailFile(s.Tail), w.tail); err != nil {
			return fmt.Errorf("keep an upload: %w", diskError(err))
		}
	}
	crash.Point("object appended")
	r.S3, r.Size, r.Updated = s, w.digest.size, now()
	if err := m.update(func(x index) error { return x.put(bktUploads, []byte(id), r) }); err != nil {
		return err
	}
	return m.removeTails(id, s.Tail)
}

// writeDurably writes a file that is not there yet, or whose content does not
// count.
func writeDurably(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close(), syncFolder(filepath.Dir(path)))
}

// finishUpload makes the object of an upload that has everything.
func (m *MinIO) finishUpload(ctx context.Context, id string, r *uploadRecord, w *s3Writer, e Checksums) (*Upload, error) {
	s := w.digest.sums()
	err := e.Check(&Object{CRC32C: s.crc32c, MD5: s.md5})
	var o *Object
	if err == nil {
		o, err = w.finish(ctx)
	}
	switch ml.KindOf(err) {
	case ml.OK:
	case ml.FailedPrecondition, ml.InvalidArgument, ml.NotFound:
		w.release()
		r.S3 = &s3Upload{multipart: w.up}
		return nil, errors.Join(err, m.dropUpload(ctx, id, r))
	default:
		return m.suspend(id, r, w, err)
	}
	// Whoever asks again because the answer was lost gets it from here.
	kept, err := m.indexed(ctx, r.Bucket, r.Name)
	if err != nil || kept == nil {
		return nil, errors.Join(err, errLost)
	}
	err = m.update(func(x index) error { return x.finishUpload(id, kept) })
	m.forgetTurn(id)
	return &Upload{Bucket: r.Bucket, Name: r.Name, By: r.By, Size: o.Size, Object: o}, errors.Join(err, m.removeTails(id, ""))
}

// sweepUploads forgets expired uploads and removes files that belong to none.
func (m *MinIO) sweepUploads(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Join(m.o.Dir, uploadDir))
	if err != nil {
		return err
	}
	alive, expired, err := m.uploadsByAge()
	if err != nil {
		return err
	}
	for id, r := range expired {
		if err := m.dropUpload(ctx, id, r); err != nil {
			return err
		}
	}
	for _, e := range entries {
		id, _, _ := strings.Cut(e.Name(), ".")
		if !alive[id] {
			if err := os.Remove(m.tailFile(e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
