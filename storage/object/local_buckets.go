package object

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"hearth/ml"
)

// now is the time as the index keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// CreateBucket implements BucketStore.
func (l *Local) CreateBucket(_ context.Context, b Bucket) (*Bucket, error) {
	if err := CheckBucketName(b.Name); err != nil {
		return nil, err
	}
	if err := l.checkSpace(0); err != nil {
		return nil, err
	}
	l.buckets.Lock()
	defer l.buckets.Unlock()
	if err := l.dirs.ensure(l.dir, filepath.Join(l.dir, b.Name)); err != nil {
		return nil, fmt.Errorf("make the folder of bucket %s: %w", b.Name, diskError(err))
	}
	b.Created, b.Metageneration = now(), 1
	b.Updated = b.Created
	if err := l.addBucket(b); err != nil {
		return nil, err
	}
	return &b, nil
}

// addBucket puts an empty bucket into the index.
func (l *Local) addBucket(b Bucket) error {
	return l.update(func(x index) error {
		if x.tx.Bucket(bktObjects).Bucket([]byte(b.Name)) != nil {
			return ml.Errorf(ml.AlreadyExists, "Your previous request to create the named bucket succeeded and you already own it.")
		}
		if _, err := x.tx.Bucket(bktObjects).CreateBucket([]byte(b.Name)); err != nil {
			return err
		}
		return x.put(bktBuckets, []byte(b.Name), b)
	})
}

// Bucket implements BucketStore.
func (l *Local) Bucket(_ context.Context, name string) (b *Bucket, err error) {
	err = l.view(func(x index) error {
		b, err = x.bucket(name)
		return err
	})
	return b, err
}

// Buckets implements BucketStore.
func (l *Local) Buckets(context.Context) ([]*Bucket, error) {
	var all []*Bucket
	err := l.view(func(x index) error {
		return x.tx.Bucket(bktBuckets).ForEach(func(_, v []byte) error {
			var b Bucket
			if err := json.Unmarshal(v, &b); err != nil {
				return fmt.Errorf("read a bucket of the objects' index: %w", err)
			}
			all = append(all, &b)
			return nil
		})
	})
	return all, err
}

// UpdateBucket implements BucketStore.
func (l *Local) UpdateBucket(_ context.Context, u BucketUpdate) (b *Bucket, err error) {
	err = l.update(func(x index) error {
		b, err = x.updateBucket(u)
		return err
	})
	return b, err
}

// updateBucket changes a bucket in the index.
func (x index) updateBucket(u BucketUpdate) (*Bucket, error) {
	b, err := x.bucket(u.Name)
	if err != nil {
		return nil, err
	}
	if b, err = u.apply(b); err != nil {
		return nil, err
	}
	return b, x.put(bktBuckets, []byte(b.Name), b)
}

// apply gives what becomes of a bucket.
func (u BucketUpdate) apply(b *Bucket) (*Bucket, error) {
	if err := u.If.checkBucket(b); err != nil {
		return nil, err
	}
	changed := *b
	changed.Labels, changed.Extra = maps.Clone(b.Labels), maps.Clone(b.Extra)
	if err := u.Change(&changed); err != nil {
		return nil, err
	}
	changed.Name, changed.Created, changed.Metageneration, changed.Updated = b.Name, b.Created, b.Metageneration+1, now()
	return &changed, nil
}

// bucket gives what is kept of a bucket. NOT_FOUND.
func (x index) bucket(name string) (*Bucket, error) {
	var b Bucket
	ok, err := x.get(bktBuckets, []byte(name), &b)
	if err == nil && !ok {
		_, err = x.objects(name) // says what is wrong
	}
	return &b, err
}

// DeleteBucket implements BucketStore.
func (l *Local) DeleteBucket(_ context.Context, name string, cond Conditions) error {
	l.buckets.Lock()
	defer l.buckets.Unlock()
	err := l.updateSurely(func(x index) error {
		objects, err := x.objects(name)
		if err != nil {
			return err
		}
		b, err := x.bucket(name)
		if err != nil {
			return err
		}
		if err := cond.checkBucket(b); err != nil {
			return err
		}
		writing, err := x.writing(name)
		if err != nil {
			return err
		}
		if k, _ := objects.Cursor().First(); k != nil || writing {
			return ErrBucketNotEmpty
		}
		if err := x.tx.Bucket(bktObjects).DeleteBucket([]byte(name)); err != nil {
			return err
		}
		return x.tx.Bucket(bktBuckets).Delete([]byte(name))
	})
	if err != nil {
		return err
	}
	// Files that others put there keep the folder alive; it is no bucket.
	if err := l.dirs.prune(l.dir, filepath.Join(l.dir, name)); err != nil {
		l.o.Log.Warn().Err(err).Str("bucket", name).Msg("a deleted bucket's folder may come back")
	}
	return nil
}

// writing reports whether an object is being written in a bucket.
func (x index) writing(bucket string) (bool, error) {
	prefix := intentKey(bucket, "")
	c := x.tx.Bucket(bktIntents).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		in, err := decodeIntent(v)
		if err != nil {
			return false, err
		}
		if !in.Unlink {
			return true, nil
		}
	}
	return false, nil
}
