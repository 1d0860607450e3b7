package object

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"hearth/ml"
)

// How long an upload is kept: one that makes no progress, and a finished one
// for clients that ask again because they lost the answer.
const (
	uploadLife   = 7 * 24 * time.Hour
	finishedLife = time.Hour
	sweepEvery   = time.Hour
)

// uploadRecord is an upload as the index keeps it. Its content so far is in
// .uploads/ID.
type uploadRecord struct {
	Bucket     string     `json:"bucket"`
	Name       string     `json:"name"`
	Attributes Attributes `json:"attributes"`
	If         Conditions `json:"if"`
	Expect     Checksums  `json:"expect"`
	By         string     `json:"by,omitempty"`
	// Size is how much of the file is durable; what is behind it does not count.
	Size    int64     `json:"size"`
	Updated time.Time `json:"updated"`
	// Done is what the finished upload made.
	Done *record `json:"done,omitempty"`
	// S3 is where the content is if it goes to an S3 server.
	S3 *s3Upload `json:"s3,omitempty"`
}

func newUploadRecord(p PutRequest) uploadRecord {
	return uploadRecord{Bucket: p.Bucket, Name: p.Name, Attributes: p.Attributes, If: p.If, Expect: p.Expect, By: p.By, Updated: now()}
}

func (r *uploadRecord) upload() *Upload {
	u := &Upload{Bucket: r.Bucket, Name: r.Name, By: r.By, Size: r.Size}
	if r.Done != nil {
		u.Object, u.Size = r.Done.object(r.Bucket, r.Name), r.Done.Size
	}
	return u
}

func (r *uploadRecord) put() PutRequest {
	return PutRequest{Bucket: r.Bucket, Name: r.Name, Attributes: r.Attributes, If: r.If, Expect: r.Expect, By: r.By}
}

func (x index) upload(id string) (*uploadRecord, error) {
	var r uploadRecord
	ok, err := x.get(bktUploads, []byte(id), &r)
	if err == nil && !ok {
		err = ml.Errorf(ml.NotFound, "There is no such upload: it was never begun, it has expired, or it was cancelled.")
	}
	return &r, err
}

func (x index) finishUpload(id string, done *record) error {
	r, err := x.upload(id)
	if ml.KindOf(err) == ml.NotFound {
		return nil // cancelled meanwhile; the object counts
	}
	if err != nil {
		return err
	}
	r.Done, r.Updated = done, now()
	return x.put(bktUploads, []byte(id), r)
}

// Upload implements Uploader.
func (i *indexDB) Upload(_ context.Context, id string) (*Upload, error) {
	r, err := i.uploadRecord(id)
	if err != nil {
		return nil, err
	}
	return r.upload(), nil
}

func (i *indexDB) uploadRecord(id string) (r *uploadRecord, err error) {
	err = i.view(func(x index) (err error) {
		r, err = x.upload(id)
		return err
	})
	return r, err
}

// uploadsByAge gives the uploads that go on, and those whose time is over.
func (i *indexDB) uploadsByAge() (alive map[string]bool, expired map[string]*uploadRecord, err error) {
	alive, expired = map[string]bool{}, map[string]*uploadRecord{}
	err = i.view(func(x index) error {
		return x.tx.Bucket(bktUploads).ForEach(func(k, v []byte) error {
			var r uploadRecord
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("read an upload of the objects' index: %w", err)
			}
			life := uploadLife
			if r.Done != nil {
				life = finishedLife
			}
			if time.Since(r.Updated) > life {
				expired[string(k)] = &r
			} else {
				alive[string(k)] = r.Done == nil
			}
			return nil
		})
	})
	return alive, expired, err
}

// sweeps remembers when expired uploads were last looked for.
type sweeps struct {
	mu   sync.Mutex
	last time.Time
}

// now calls sweep, at most once an hour.
func (s *sweeps) now(sweep func() error) error {
	s.mu.Lock()
	due := time.Since(s.last) > sweepEvery
	if due {
		s.last = time.Now()
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	return sweep()
}
