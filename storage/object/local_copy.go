package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"hearth/ml"
)

// Copy implements ObjectWriter. Files never change once they have a name, so a
// copy is a second hard link wherever the file system has room for one.
func (l *Local) Copy(ctx context.Context, c CopyRequest) (*Object, error) {
	p := PutRequest{Bucket: c.Bucket, Name: c.Name, If: c.If}
	if err := l.checkPut(p); err != nil {
		return nil, err
	}
	src, link, err := l.link(c)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	o := src.object
	p.Attributes = o.Attributes
	if c.Attributes != nil {
		p.Attributes = c.Attributes.Clone()
	}
	if link != "" {
		return l.placeOrRemove(&staged{path: link, sums: sums{o.Size, o.CRC32C, o.MD5}, components: o.Components}, p)
	}
	st, err := l.stage(ctx, src)
	if err != nil {
		return nil, err
	}
	st.components = o.Components
	return l.placeOrRemove(st, p)
}

// link opens the source and gives it another name in the staging folder; an
// empty one where the file system cannot.
func (l *Local) link(c CopyRequest) (*content, string, error) {
	lock := l.names.of(c.FromBucket, c.From)
	lock.RLock()
	defer lock.RUnlock()
	return l.linkLocked(c)
}

// linkLocked is link for those who hold the source's lock.
func (l *Local) linkLocked(c CopyRequest) (*content, string, error) {
	src, err := l.openLocked(c.FromBucket, c.From)
	if err != nil {
		return nil, "", err
	}
	if err := c.FromIf.Check(src.object); err != nil {
		return nil, "", errors.Join(err, src.Close())
	}
	name := filepath.Join(stageDir, fmt.Sprintf("link-%d", l.links.Add(1)))
	if os.Link(src.Name(), filepath.Join(l.dir, name)) != nil {
		return src, "", nil
	}
	return src, name, nil
}

const maxComposeSources = 32

// Compose implements ObjectWriter.
func (l *Local) Compose(ctx context.Context, c ComposeRequest) (*Object, error) {
	p := PutRequest{Bucket: c.Bucket, Name: c.Name, Attributes: c.Attributes, If: c.If}
	if n := len(c.Sources); n < 1 || n > maxComposeSources {
		return nil, ml.FieldErrorf("sourceObjects", "The number of source components provided (%d) must be from 1 to %d.", n, maxComposeSources)
	}
	if err := l.checkPut(p); err != nil {
		return nil, err
	}
	var parts []io.Reader
	components := 0
	for _, s := range c.Sources {
		src, err := l.open(c.Bucket, s.Name)
		if err != nil {
			return nil, err
		}
		defer src.Close()
		if err := s.If.Check(src.object); err != nil {
			return nil, err
		}
		parts = append(parts, src)
		components += max(1, src.object.Components)
	}
	st, err := l.stage(ctx, io.MultiReader(parts...))
	if err != nil {
		return nil, err
	}
	// As in Cloud Storage, what is composed has no MD5.
	st.md5, st.components = nil, components
	return l.placeOrRemove(st, p)
}

// Update implements ObjectWriter.
func (l *Local) Update(_ context.Context, u UpdateRequest) (*Object, error) {
	lock := l.names.of(u.Bucket, u.Name)
	lock.Lock()
	defer lock.Unlock()
	if err := l.settleLeftover(u.Bucket, u.Name); err != nil {
		return nil, err
	}
	var o *Object
	err := l.update(func(x index) error {
		r, err := x.existing(u.Bucket, u.Name)
		if err != nil {
			return err
		}
		if err := u.If.checkRecord(r); err != nil {
			return err
		}
		r.Attributes = r.Attributes.Clone()
		if err := u.Change(&r.Attributes); err != nil {
			return err
		}
		r.Metageneration++
		r.Updated = now()
		o = r.object(u.Bucket, u.Name)
		return x.putRecord(u.Bucket, u.Name, r)
	})
	return o, err
}
