package object

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
)

// CreateBucket implements BucketStore.
func (m *MinIO) CreateBucket(ctx context.Context, b Bucket) (*Bucket, error) {
	if err := CheckBucketName(b.Name); err != nil {
		return nil, err
	}
	lock := m.buckets.of(b.Name, "")
	lock.Lock()
	defer lock.Unlock()
	if err := m.fault(m.s3.MakeBucket(ctx, s3Bucket(b.Name), minio.MakeBucketOptions{Region: m.o.Region})); err != nil {
		return nil, err
	}
	b.Created, b.Metageneration = now(), 1
	b.Updated = b.Created
	if err := m.describeBucket(ctx, &b); err != nil {
		return nil, err
	}
	return &b, m.keepBucket(&b)
}

// describeBucket writes what is kept of a bucket into it.
func (m *MinIO) describeBucket(ctx context.Context, b *Bucket) error {
	content, err := json.Marshal(b)
	if err != nil {
		return err
	}
	_, err = m.s3.PutObject(ctx, s3Bucket(b.Name), bucketKey, bytes.NewReader(content), int64(len(content)), "", "",
		minio.PutObjectOptions{ContentType: "application/json", DisableContentSha256: true})
	return m.fault(err)
}

func (m *MinIO) keepBucket(b *Bucket) error {
	return m.update(func(x index) error {
		if _, err := x.tx.Bucket(bktObjects).CreateBucketIfNotExists([]byte(b.Name)); err != nil {
			return err
		}
		return x.put(bktBuckets, []byte(b.Name), b)
	})
}

// forgetBucket takes a bucket out of the index with all that is in it.
func (m *MinIO) forgetBucket(name string) error {
	return m.update(func(x index) error {
		if x.tx.Bucket(bktObjects).Bucket([]byte(name)) == nil {
			return nil
		}
		if err := x.tx.Bucket(bktObjects).DeleteBucket([]byte(name)); err != nil {
			return err
		}
		return x.tx.Bucket(bktBuckets).Delete([]byte(name))
	})
}

// needBucket is NOT_FOUND if there is no such bucket. The index is believed, so
// that not every call asks the server twice.
func (m *MinIO) needBucket(ctx context.Context, name string) error {
	_, err := m.bucketOf(name)
	if gone(err) {
		_, err = m.Bucket(ctx, name)
	}
	return err
}

// bucketOf gives what the index says of a bucket.
func (m *MinIO) bucketOf(name string) (b *Bucket, err error) {
	err = m.view(func(x index) error {
		b, err = x.bucket(name)
		return err
	})
	return b, err
}

// Bucket implements BucketStore.
func (m *MinIO) Bucket(ctx context.Context, name string) (*Bucket, error) {
	if CheckBucketName(name) != nil {
		return nil, errNoBucket
	}
	there, err := m.s3.BucketExists(ctx, s3Bucket(name))
	if err = m.fault(err); err != nil && !gone(err) {
		return nil, err
	}
	if !there {
		return nil, cmp.Or(m.forgetBucket(name), errNoBucket)
	}
	b, err := m.bucketOf(name)
	if !gone(err) {
		return b, err
	}
	return m.adoptBucket(ctx, s3Bucket(name), name, minio.BucketInfo{})
}

// adoptBucket learns of a bucket that the index does not know. name is empty
// where only the bucket itself can tell it.
func (m *MinIO) adoptBucket(ctx context.Context, s3Name, name string, info minio.BucketInfo) (*Bucket, error) {
	at := info.CreationDate.UTC()
	if at.IsZero() {
		at = now()
	}
	b := &Bucket{Name: name, Metageneration: 1, Created: at, Updated: at}
	rc, _, _, err := m.s3.GetObject(ctx, s3Name, bucketKey, minio.GetObjectOptions{})
	switch err = m.fault(err); {
	case gone(err):
	case err != nil:
		return nil, err
	default:
		content, err := io.ReadAll(io.LimitReader(rc, 1<<20))
		if err = errors.Join(err, rc.Close()); err != nil {
			return nil, m.fault(err)
		}
		// What cannot be read is as good as not there.
		_ = json.Unmarshal(content, b)
	}
	if CheckBucketName(b.Name) != nil || s3Bucket(b.Name) != s3Name {
		return nil, nil
	}
	return b, m.keepBucket(b)
}

// Buckets implements BucketStore. S3 buckets whose names are none here, such as
// those that begin with "goog", are left out.
func (m *MinIO) Buckets(ctx context.Context) ([]*Bucket, error) {
	infos, err := m.s3.ListBuckets(ctx)
	if err != nil {
		return nil, m.fault(err)
	}
	known := map[string]*Bucket{}
	err = m.view(func(x index) error {
		return x.tx.Bucket(bktBuckets).ForEach(func(k, _ []byte) error {
			b, err := x.bucket(string(k))
			known[s3Bucket(string(k))] = b
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	all := []*Bucket{}
	for _, info := range infos {
		b := known[info.Name]
		delete(known, info.Name)
		if b == nil {
			name := info.Name
			if strings.HasPrefix(name, hashedBucket) {
				name = ""
			}
			if b, err = m.adoptBucket(ctx, info.Name, name, info); err != nil {
				return nil, err
			}
		}
		if b != nil {
			all = append(all, b)
		}
	}
	for _, b := range known {
		if err := m.forgetBucket(b.Name); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b *Bucket) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// UpdateBucket implements BucketStore.
func (m *MinIO) UpdateBucket(ctx context.Context, u BucketUpdate) (*Bucket, error) {
	lock := m.buckets.of(u.Name, "")
	lock.Lock()
	defer lock.Unlock()
	b, err := m.Bucket(ctx, u.Name)
	if err != nil {
		return nil, err
	}
	if b, err = u.apply(b); err != nil {
		return nil, err
	}
	if err := m.describeBucket(ctx, b); err != nil {
		return nil, err
	}
	return b, m.keepBucket(b)
}

// DeleteBucket implements BucketStore.
func (m *MinIO) DeleteBucket(ctx context.Context, name string, c Conditions) error {
	lock := m.buckets.of(name, "")
	lock.Lock()
	defer lock.Unlock()
	b, err := m.Bucket(ctx, name)
	if err != nil {
		return err
	}
	if err := c.checkBucket(b); err != nil {
		return err
	}
	page, err := m.List(ctx, name, ListOptions{Max: 1})
	if err != nil {
		return err
	}
	if len(page.Objects) > 0 {
		return ErrBucketNotEmpty
	}
	if err := m.clearHidden(ctx, name); err != nil {
		return err
	}
	if err := m.fault(m.s3.RemoveBucket(ctx, s3Bucket(name))); err != nil {
		return errors.Join(err, m.describeBucket(ctx, b))
	}
	return m.forgetBucket(name)
}

// clearHidden removes what is Hearth's own in a bucket, and uploads that were
// never finished.
func (m *MinIO) clearHidden(ctx context.Context, bucket string) error {
	for o := range m.s3.Client.ListObjects(ctx, s3Bucket(bucket), minio.ListObjectsOptions{Prefix: hidden, Recursive: true}) {
		if o.Err != nil {
			return m.fault(o.Err)
		}
		if err := m.fault(m.s3.RemoveObject(ctx, s3Bucket(bucket), o.Key, minio.RemoveObjectOptions{})); err != nil {
			return err
		}
	}
	for u := range m.s3.ListIncompleteUploads(ctx, s3Bucket(bucket), "", true) {
		if u.Err != nil {
			return m.fault(u.Err)
		}
		if err := m.fault(m.s3.AbortMultipartUpload(ctx, s3Bucket(bucket), u.Key, u.UploadID)); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}
