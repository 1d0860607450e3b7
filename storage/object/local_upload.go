package object

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"hearth/ml"
	"hearth/ml/crash"
)

// spool is the file of an upload that somebody is writing to.
type spool struct {
	id string
	// turn is held by the one who writes.
	turn chan struct{}
	// digest covers the first bytes of the file; nil if none are.
	digest *digest
}

// errLost says that an upload's file is not what the index says.
var errLost = ml.Errorf(ml.NotFound, "The upload was lost: begin it again.")

// spool gives the one spool of an upload.
func (l *Local) spool(id string) *spool {
	l.uploads.mu.Lock()
	defer l.uploads.mu.Unlock()
	s := l.uploads.open[id]
	if s == nil {
		s = &spool{id: id, turn: make(chan struct{}, 1)}
		l.uploads.open[id] = s
	}
	return s
}

func (l *Local) forgetSpool(id string) {
	l.uploads.mu.Lock()
	defer l.uploads.mu.Unlock()
	delete(l.uploads.open, id)
}

func (l *Local) spoolFile(id string) string { return filepath.Join(l.dir, uploadDir, id) }

// BeginUpload implements Uploader.
func (l *Local) BeginUpload(_ context.Context, p PutRequest) (string, error) {
	if err := l.checkPut(p); err != nil {
		return "", err
	}
	if err := l.sweeps.now(l.sweepUploads); err != nil {
		return "", err
	}
	id := rand.Text()
	r := newUploadRecord(p)
	return id, l.update(func(x index) error { return x.put(bktUploads, []byte(id), &r) })
}

// AbortUpload implements Uploader.
func (l *Local) AbortUpload(ctx context.Context, id string) error {
	if _, err := l.uploadRecord(id); err != nil {
		return err
	}
	s := l.spool(id)
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	return l.dropUpload(id)
}

func (l *Local) dropUpload(id string) error {
	if err := l.updateSurely(func(x index) error { return x.tx.Bucket(bktUploads).Delete([]byte(id)) }); err != nil {
		return err
	}
	l.forgetSpool(id)
	if err := os.Remove(l.spoolFile(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// AppendUpload implements Uploader.
func (l *Local) AppendUpload(ctx context.Context, id string, c Chunk) (*Upload, error) {
	if _, err := l.uploadRecord(id); err != nil {
		return nil, err
	}
	s := l.spool(id)
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.turn }()
	r, err := l.uploadRecord(id)
	if err != nil {
		return nil, err
	}
	if r.Done != nil {
		l.forgetSpool(id)
		return r.upload(), nil
	}
	if err := c.checkOffset(r.Size); err != nil {
		return nil, err
	}
	if err := l.checkSpace(max(c.Length, c.Total-c.Offset)); err != nil {
		return nil, err
	}
	complete, err := l.appendSpool(ctx, s, r, c)
	if errors.Is(err, errLost) {
		return nil, errors.Join(err, l.dropUpload(id))
	}
	if err != nil || !complete {
		return r.upload(), err
	}
	return l.finish(s, r, c.Expect)
}

// finish makes the object of a spool that has everything.
func (l *Local) finish(s *spool, r *uploadRecord, e Checksums) (*Upload, error) {
	st := &staged{path: filepath.Join(uploadDir, s.id), sums: s.digest.sums(), upload: s.id}
	err := e.Check(&Object{CRC32C: st.crc32c, MD5: st.md5})
	var o *Object
	if err == nil {
		o, err = l.place(st, r.put())
	}
	switch ml.KindOf(err) {
	case ml.OK:
		l.forgetSpool(s.id)
		return &Upload{Bucket: r.Bucket, Name: r.Name, By: r.By, Size: o.Size, Object: o}, nil
	case ml.FailedPrecondition, ml.InvalidArgument, ml.NotFound:
		return nil, errors.Join(err, l.dropUpload(s.id))
	}
	return nil, err
}

// appendSpool adds c to the file of an upload and reports whether that is the
// whole object. r.Size follows, and so does the index unless it is the whole.
func (l *Local) appendSpool(ctx context.Context, s *spool, r *uploadRecord, c Chunk) (complete bool, err error) {
	f, err := l.openSpool(s, r.Size)
	if err != nil {
		return false, fmt.Errorf("go on with an upload: %w", diskError(err))
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	before := r.Size
	if before == 0 {
		replaceNote(f.Name(), r.Bucket, r.Name, note{Attributes: r.Attributes})
	}
	got, err := c.pour(before, func(body io.Reader) (int64, error) {
		err := l.pour(ctx, f, s.digest, body)
		return s.digest.size - before, err
	})
	if serr := f.Sync(); serr != nil {
		s.digest = nil
		return false, fmt.Errorf("keep an upload: %w", diskError(errors.Join(err, serr)))
	}
	r.Size = s.digest.size
	if err == nil {
		err = c.check(got, r.Size)
	}
	if err == nil && (c.Last || r.Size == c.Total) {
		return true, nil
	}
	if r.Size != before {
		err = errors.Join(err, l.keepSpool(s.id, r, before == 0))
	}
	return false, err
}

// keepSpool makes durable how far an upload is.
func (l *Local) keepSpool(id string, r *uploadRecord, created bool) error {
	if created {
		if err := syncFolder(filepath.Join(l.dir, uploadDir)); err != nil {
			return err
		}
	}
	crash.Point("object appended")
	r.Updated = now()
	return l.update(func(x index) error { return x.put(bktUploads, []byte(id), r) })
}

// checkOffset is UNAVAILABLE if there is a gap between what an upload holds and
// the chunk.
func (c Chunk) checkOffset(size int64) error {
	if c.Offset > size {
		return ml.Errorf(ml.Unavailable, "Invalid request. According to the Content-Range header, the upload offset is %d byte(s), which exceeds already uploaded size of %d byte(s).", c.Offset, size)
	}
	return nil
}

// pour hands on what is new in c to an upload that holds size bytes, and says
// how many bytes c had. take reads to the end and says how many it took.
func (c Chunk) pour(size int64, take func(io.Reader) (int64, error)) (int64, error) {
	if c.Body == nil {
		return 0, nil
	}
	body := c.Body
	if c.Length >= 0 {
		body = io.LimitReader(body, c.Length)
	}
	got, err := io.CopyN(io.Discard, body, size-c.Offset)
	if err == nil {
		var took int64
		took, err = take(body)
		got += took
	} else if err == io.EOF {
		err = nil
	}
	if err == nil && c.Length >= 0 && got == c.Length {
		// One byte more shows that there are too many.
		if n, _ := io.ReadFull(c.Body, make([]byte, 1)); n > 0 {
			got++
		}
	}
	return got, err
}

// check compares the chunk's promises with what came: got bytes, which make
// size altogether.
func (c Chunk) check(got, size int64) error {
	if c.Length >= 0 && got != c.Length {
		return ml.Errorf(ml.InvalidArgument, "Invalid request. There were %d byte(s) in the request body. There should have been %d byte(s) (starting at offset %d) according to the Content-Range header.", got, c.Length, c.Offset)
	}
	if c.Last && size != c.Offset+got {
		return ml.Errorf(ml.InvalidArgument, "Invalid request. The upload has %d byte(s) already, and the request says that it ends at %d.", size, c.Offset+got)
	}
	if c.Total >= 0 && size > c.Total {
		return ml.Errorf(ml.InvalidArgument, "Invalid request. The upload has %d byte(s) and should have %d.", size, c.Total)
	}
	return nil
}

// openSpool opens the file of an upload behind its first size bytes, of which
// s.digest then is. What a crash left behind them is cut off.
func (l *Local) openSpool(s *spool, size int64) (*os.File, error) {
	f, err := os.OpenFile(l.spoolFile(s.id), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if s.digest == nil || s.digest.size != size {
		s.digest, err = digestFile(io.LimitReader(f, size))
	}
	if err == nil && s.digest.size < size {
		s.digest = nil
		err = errLost
	}
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
