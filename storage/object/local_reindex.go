package object

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"hearth/ml"
)

const (
	// reindexers look at files at the same time; they share commits.
	reindexers = 16
	// reindexPage is how many records are read in one transaction.
	reindexPage = 1000
	// progressEvery is after how many objects Reindex tells how far it is.
	progressEvery = 1000
)

// Reindex implements Keeper. The files are right: one that the index does not
// have becomes an object, one that differs from its record a new generation of
// it, and records without a file go. A name is locked only while its record
// changes, so checksums are computed first, and again if the file was changed
// meanwhile.
func (l *Local) Reindex(ctx context.Context, progress func(Reindexed)) (Reindexed, error) {
	w := &reindex{l: l, progress: progress}
	folders, err := l.bucketFolders()
	if err != nil {
		return w.done, err
	}
	if len(folders) > 0 {
		// What others have put here may be in memory only.
		err = syncFileSystem(l.dir)
	}
	if err != nil {
		return w.done, err
	}
	for _, name := range folders {
		if err := l.adoptBucket(name); err != nil {
			return w.done, fmt.Errorf("take in the bucket %s: %w", name, err)
		}
	}
	buckets, err := l.Buckets(ctx)
	if err != nil {
		return w.done, err
	}
	for _, b := range buckets {
		err := w.bucket(ctx, b.Name)
		if ml.KindOf(err) == ml.NotFound {
			continue // deleted meanwhile
		}
		if err != nil {
			return w.done, fmt.Errorf("reindex the bucket %s: %w", b.Name, err)
		}
	}
	w.tell()
	return w.done, nil
}

// bucketFolders gives the folders that are a bucket, or might be.
func (l *Local) bucketFolders() (names []string, err error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("look for buckets: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() && CheckBucketName(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func syncFileSystem(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}

// adoptBucket makes a bucket of a folder that is none yet.
func (l *Local) adoptBucket(name string) error {
	l.buckets.Lock()
	defer l.buckets.Unlock()
	info, err := os.Lstat(filepath.Join(l.dir, name))
	if err != nil || !info.IsDir() {
		return nil // gone meanwhile
	}
	err = l.addBucket(Bucket{Name: name, Created: now(), Updated: now(), Metageneration: 1})
	if ml.KindOf(err) == ml.AlreadyExists {
		return nil
	}
	if err == nil {
		l.o.Log.Info().Str("bucket", name).Msg("took in a folder as a bucket")
	}
	return err
}

// reindex is one run of Reindex.
type reindex struct {
	l        *Local
	progress func(Reindexed)

	mu   sync.Mutex
	done Reindexed
}

func (w *reindex) tell() {
	if w.progress != nil {
		w.progress(w.done)
	}
}

// count adds what became of one object.
func (w *reindex) count(c Reindexed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done.Objects++
	w.done.Added += c.Added
	w.done.Changed += c.Changed
	w.done.Removed += c.Removed
	w.done.Bytes += c.Bytes
	if w.done.Objects%progressEvery == 0 {
		w.tell()
	}
}

// bucket takes in the files of a bucket, and then drops records without one.
func (w *reindex) bucket(ctx context.Context, bucket string) error {
	hidden, err := w.hiddenNames(bucket)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(reindexers)
	root := filepath.Join(w.l.dir, bucket)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if errors.Is(err, os.ErrNotExist) || err == nil && d.IsDir() {
			return nil
		}
		if errors.Is(err, os.ErrPermission) {
			w.skip(bucket, path, "it cannot be read")
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if name, ok := w.name(bucket, rel, d, hidden); ok {
			g.Go(func() error { return w.file(ctx, bucket, name, rel) })
		}
		return nil
	})
	if gerr := g.Wait(); gerr != nil {
		err = gerr // it ended the walk
	}
	if err != nil {
		return err
	}
	return w.records(bucket)
}

// hiddenNames gives, by path, the names that their paths do not show.
func (w *reindex) hiddenNames(bucket string) (map[string]string, error) {
	hidden := map[string]string{}
	err := w.page(bucket, func(name string, r *record) error {
		if shown, ok := nameOfPath(r.Path); !ok || shown != name {
			hidden[r.Path] = name
		}
		return nil
	})
	return hidden, err
}

// page calls f with each record of a bucket, outside of transactions.
func (w *reindex) page(bucket string, f func(name string, r *record) error) error {
	type named struct {
		name string
		*record
	}
	for from := ""; ; {
		var page []named
		err := w.l.view(func(x index) error {
			objects, err := x.objects(bucket)
			if err != nil {
				return err
			}
			c := objects.Cursor()
			for k, v := c.Seek([]byte(from)); k != nil && len(page) < reindexPage; k, v = c.Next() {
				r, err := decodeRecord(v)
				if err != nil {
					return err
				}
				page = append(page, named{string(k), r})
			}
			return nil
		})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, n := range page {
			if err := f(n.name, n.record); err != nil {
				return err
			}
		}
		from = page[len(page)-1].name + "\x00"
	}
}

// name says which object a file is.
func (w *reindex) name(bucket, path string, d fs.DirEntry, hidden map[string]string) (string, bool) {
	if !d.Type().IsRegular() {
		w.skip(bucket, path, "it is no regular file")
		return "", false
	}
	if name, ok := hidden[path]; ok {
		return name, true
	}
	name, ok := nameOfPath(path)
	if !ok {
		w.skip(bucket, path, "no object has this path")
		return "", false
	}
	if err := CheckObjectName(name); err != nil {
		w.skip(bucket, path, err.Error())
		return "", false
	}
	return name, true
}

func (w *reindex) skip(bucket, path, why string) {
	w.l.o.Log.Warn().Str("bucket", bucket).Str("path", path).Str("reason", why).Msg("a file in the bucket's folder is no object")
}

// records drops the records of a bucket whose files are gone.
func (w *reindex) records(bucket string) error {
	return w.page(bucket, func(name string, r *record) error {
		if there, err := w.l.hasFile(bucket, r.Path); there || err != nil {
			return err
		}
		return w.drop(bucket, name)
	})
}

// hasFile reports whether a path of a bucket is a regular file.
func (l *Local) hasFile(bucket, path string) (bool, error) {
	info, err := os.Lstat(l.file(bucket, path))
	if errors.Is(err, os.ErrNotExist) || blocked(err) {
		return false, nil
	}
	return err == nil && info.Mode().IsRegular(), err
}

// drop drops a record if its file is really gone: writers hold the name's lock
// while the two do not agree.
func (w *reindex) drop(bucket, name string) error {
	lock := w.l.names.of(bucket, name)
	lock.Lock()
	defer lock.Unlock()
	r, err := w.record(bucket, name)
	if err != nil || r == nil {
		return err
	}
	if there, err := w.l.hasFile(bucket, r.Path); there || err != nil {
		return err
	}
	if err := w.l.update(func(x index) error { return x.deleteRecord(bucket, name) }); err != nil {
		return err
	}
	w.l.o.Log.Warn().Str("bucket", bucket).Str("object", name).Msg("dropped an object whose file is gone")
	w.count(Reindexed{Removed: 1})
	return nil
}
