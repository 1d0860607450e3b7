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
	st, err := l.stageCopy(ctx, src, link, p)
	if err != nil {
		return nil, err
	}
	return l.placeOrRemove(st, p)
}

// stageCopy stages the content of src, which will be the object p, from its
// link, or by copying it if there is none.
func (l *Local) stageCopy(ctx context.Context, src *content, link string, p PutRequest) (*staged, error) {
	o := src.object
	if link != "" {
		replaceNote(filepath.Join(l.dir, link), p.Bucket, p.Name, note{Attributes: p.Attributes, Components: o.Components})
		return &staged{path: link, sums: sums{o.Size, o.CRC32C, o.MD5}, components: o.Components}, nil
	}
	st, err := l.stage(ctx, p, o.Components, src)
	if err != nil {
		return nil, err
	}
	st.md5 = o.MD5
	return st, nil
}

// link opens the source and gives it another name in the staging folder; an
// empty one where the file system cannot.
func (l *Local) link(c CopyRequest) (*content, string, error) {
	if err := l.settleForReader(c.FromBucket, c.From); err != nil {
		return nil, "", err
	}
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

// check gives INVALID_ARGUMENT for too few or too many sources.
func (c ComposeRequest) check() error {
	if n := len(c.Sources); n < 1 || n > maxComposeSources {
		return ml.FieldErrorf("sourceObjects", "The number of source components provided (%d) must be from 1 to %d.", n, maxComposeSources)
	}
	return nil
}

// Compose implements ObjectWriter.
func (l *Local) Compose(ctx context.Context, c ComposeRequest) (*Object, error) {
	p := PutRequest{Bucket: c.Bucket, Name: c.Name, Attributes: c.Attributes, If: c.If}
	if err := c.check(); err != nil {
		return nil, err
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
	st, err := l.stage(ctx, p, components, io.MultiReader(parts...))
	if err != nil {
		return nil, err
	}
	// As in Cloud Storage, what is composed has no MD5.
	st.md5 = nil
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
	var r *record
	err := l.update(func(x index) error {
		var err error
		if r, err = x.existing(u.Bucket, u.Name); err != nil {
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
		return x.putRecord(u.Bucket, u.Name, r)
	})
	if err != nil {
		return nil, err
	}
	l.refreshNote(u.Bucket, u.Name, r)
	return r.object(u.Bucket, u.Name), nil
}
