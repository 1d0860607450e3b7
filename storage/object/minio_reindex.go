package object

import (
	"context"
	"errors"

	"github.com/minio/minio-go/v7"
)

// Reindex implements Keeper: it compares the index with all that the server has,
// and removes sidecars that say nothing any more. Bytes stays 0: S3 tells what
// it knows of an object without reading it.
func (m *MinIO) Reindex(ctx context.Context, progress func(Reindexed)) (Reindexed, error) {
	var done Reindexed
	if progress == nil {
		progress = func(Reindexed) {}
	}
	buckets, err := m.Buckets(ctx)
	if err != nil {
		return done, err
	}
	for _, b := range buckets {
		if err := m.reindexBucket(ctx, b.Name, &done, progress); err != nil {
			return done, err
		}
	}
	return done, nil
}

func (m *MinIO) reindexBucket(ctx context.Context, bucket string, done *Reindexed, progress func(Reindexed)) error {
	before, err := m.etags(bucket)
	if err != nil {
		return err
	}
	if err := m.findHashed(ctx, bucket); err != nil {
		return err
	}
	o := ListOptions{Max: progressEvery}
	for {
		page, err := m.List(ctx, bucket, o)
		if err != nil {
			return err
		}
		done.Objects += int64(len(page.Objects))
		progress(*done)
		if o.StartAfter = page.Next; page.Next == "" {
			break
		}
	}
	after, err := m.etags(bucket)
	if err != nil {
		return err
	}
	done.count(before, after)
	progress(*done)
	return m.clearSidecars(ctx, bucket)
}

// count adds how two states of a bucket differ.
func (d *Reindexed) count(before, after map[string]string) {
	for name, etag := range after {
		switch was, ok := before[name]; {
		case !ok:
			d.Added++
		case was != etag:
			d.Changed++
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			d.Removed++
		}
	}
}

// etags gives the ETags of a bucket's objects, as the index has them.
func (m *MinIO) etags(bucket string) (map[string]string, error) {
	all := map[string]string{}
	err := m.view(func(x index) error {
		objects, err := x.objects(bucket)
		if err != nil {
			return err
		}
		return objects.ForEach(func(k, v []byte) error {
			r, err := decodeRecord(v)
			if err == nil {
				all[string(k)] = r.ETag
			}
			return err
		})
	})
	return all, err
}

// eachSidecar visits what is left of the sidecars of a bucket.
func (m *MinIO) eachSidecar(ctx context.Context, bucket string, visit func(*blob) error) error {
	for i := range m.s3.Client.ListObjects(ctx, s3Bucket(bucket), minio.ListObjectsOptions{Prefix: sidecarKeys, Recursive: true}) {
		if i.Err != nil {
			return m.fault(i.Err)
		}
		b, err := m.sidecar(ctx, bucket, i.Key, "")
		if err != nil {
			return err
		}
		if b == nil || i.Key != sidecarKey(b.Name) {
			continue // not one of ours, or gone
		}
		if err := visit(b); err != nil {
			return err
		}
	}
	return nil
}

// clearSidecars removes the sidecars of what is no longer there.
func (m *MinIO) clearSidecars(ctx context.Context, bucket string) error {
	return m.eachSidecar(ctx, bucket, func(b *blob) error {
		unlock := m.lockForWrite(bucket, b.Name)
		defer unlock()
		r, err := m.lookupLocked(ctx, bucket, b.Name)
		if err != nil && !gone(err) || errors.Is(err, errNoBucket) {
			return err
		}
		if r == nil || r.ETag != b.ETag {
			m.dropSidecar(ctx, bucket, b.Name)
		}
		return nil
	})
}

// takeInSidecars brings an index that was lost up to what the sidecars say.
// Afterwards the index knows of each, and only objects whose own metadata names
// one need theirs to be read.
func (m *MinIO) takeInSidecars(ctx context.Context, bucket string) error {
	return m.eachSidecar(ctx, bucket, func(b *blob) error {
		info, err := m.s3.StatObject(ctx, s3Bucket(bucket), b.Path, minio.StatObjectOptions{})
		if err = m.fault(err); gone(err) || err == nil && info.ETag != b.ETag {
			return nil
		}
		if err != nil {
			return err
		}
		b.Sidecar = true
		m.clock.saw(b.Generation)
		return m.keep(bucket, b.Name, &b.record)
	})
}
