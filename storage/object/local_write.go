package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"hearth/ml/crash"
)

// How an object is written, and what a crash leaves at each point:
//
//  1. The content goes to a file of its own in .tmp (or is an upload's spool)
//     and is synced. Crash: a file that nothing refers to; it is removed.
//  2. One transaction checks the conditions, gives out the generation and keeps
//     the intent: the new record and where its content is.
//     Crash: the path does not have the intent's content yet; the intent is
//     dropped and the file removed. The old object is untouched.
//  3. The file is renamed to its path, which replaces the old one, and the
//     folder is synced. Crash: the path has the content, by size and checksum;
//     the record is put into the index. (After a power cut the rename may be
//     gone again: that is point 2.) If the path cannot be taken, because an
//     object "a" is in the way of "a/b" or the other way round, point 2 is
//     repeated with the escaped path.
//  4. One transaction puts the record into the index and drops the intent.
//     Only then is the write answered. Crash: nothing is left to do.
//
// And how one is deleted: one transaction drops the record and keeps an intent
// to remove the file; then the file goes, and the intent with the next
// transaction. A crash between leaves the intent, which is carried out.
// A move is both at once: its point 4 is also the first transaction of the
// delete.

// Put implements ObjectWriter.
func (l *Local) Put(ctx context.Context, p PutRequest, body io.Reader) (*Object, error) {
	if err := l.checkPut(p); err != nil {
		return nil, err
	}
	st, err := l.stage(ctx, p, 0, body)
	if err != nil {
		return nil, err
	}
	return l.placeOrRemove(st, p)
}

// checkPut refuses early what place would refuse after all the content was read.
func (l *Local) checkPut(p PutRequest) error {
	if err := CheckObjectName(p.Name); err != nil {
		return err
	}
	err := l.view(func(x index) error {
		old, err := x.record(p.Bucket, p.Name)
		if err != nil {
			return err
		}
		return p.If.checkRecord(old)
	})
	if err != nil {
		return err
	}
	return l.checkSpace(p.Size)
}

// placeOrRemove is place for content that is of no use if it cannot be placed.
func (l *Local) placeOrRemove(st *staged, p PutRequest) (*Object, error) {
	o, err := l.place(st, p)
	if err != nil {
		l.discard(st)
	}
	return o, err
}

func (l *Local) discard(st *staged) {
	if err := os.Remove(filepath.Join(l.dir, st.path)); err != nil && !errors.Is(err, os.ErrNotExist) {
		l.o.Log.Warn().Err(err).Msg("a temporary file stays until the next start")
	}
}

// place gives staged content its name.
func (l *Local) place(st *staged, p PutRequest) (*Object, error) {
	if err := p.Expect.Check(&Object{CRC32C: st.crc32c, MD5: st.md5}); err != nil {
		return nil, err
	}
	lock := l.names.of(p.Bucket, p.Name)
	lock.Lock()
	defer lock.Unlock()
	if err := l.settleLeftover(p.Bucket, p.Name); err != nil {
		return nil, err
	}
	in, err := l.placeLocked(st, p)
	if err != nil {
		return nil, err
	}
	return in.Record.object(p.Bucket, p.Name), nil
}

// placeLocked is place for those who hold the name's lock and have settled what
// was left of it.
func (l *Local) placeLocked(st *staged, p PutRequest) (*intent, error) {
	in, err := l.intend(st, p, false)
	if err != nil {
		return nil, err
	}
	crash.Point("object intended")
	err = l.bring(p.Bucket, in)
	if blocked(err) && isPlain(in.Record.Path) {
		// This intent replaces the one before.
		if in, err = l.intend(st, p, true); err == nil {
			err = l.bring(p.Bucket, in)
		}
	}
	crash.Point("object renamed")
	if err == nil {
		err = l.commit(p.Bucket, p.Name, in)
	}
	if err != nil {
		l.leave(p.Bucket, p.Name)
		return nil, errors.Join(fmt.Errorf("name an object: %w", diskError(err)), l.settleLeftover(p.Bucket, p.Name))
	}
	crash.Point("object committed")
	return in, nil
}

func (l *Local) bring(bucket string, in *intent) error {
	return l.dirs.bring(l.dir, filepath.Join(l.dir, in.From), l.file(bucket, in.Record.Path))
}

// intend checks the conditions and makes the intent durable.
func (l *Local) intend(st *staged, p PutRequest, escape bool) (*intent, error) {
	at := now()
	file, err := os.Lstat(filepath.Join(l.dir, st.path))
	if err != nil {
		return nil, err
	}
	in := &intent{From: st.path, Upload: st.upload, Moved: st.moved, Record: record{
		Metageneration: 1, Size: st.size, CRC32C: st.crc32c, MD5: st.md5, Components: st.components,
		Created: at, Updated: at, Attributes: p.Attributes, Modified: file.ModTime().UnixNano(),
	}}
	err = l.update(func(x index) error {
		old, err := x.record(p.Bucket, p.Name)
		if err != nil {
			return err
		}
		if err := p.If.checkRecord(old); err != nil {
			return err
		}
		switch {
		case escape:
			in.Record.Path = escapedPath(p.Name)
		case old != nil:
			in.Record.Path = old.Path
		default:
			in.Record.Path = plainOrEscaped(p.Name)
		}
		if in.Record.Generation, err = x.nextGeneration(at); err != nil {
			return err
		}
		return x.putIntent(p.Bucket, p.Name, in)
	})
	return in, err
}

// commit makes an intent whose file is in place the truth.
func (l *Local) commit(bucket, name string, in *intent) error {
	return l.updateSurely(func(x index) error { return x.commit(bucket, name, in) })
}

func (x index) commit(bucket, name string, in *intent) error {
	if err := x.putRecord(bucket, name, &in.Record); err != nil {
		return err
	}
	if in.Upload != "" {
		if err := x.finishUpload(in.Upload, &in.Record); err != nil {
			return err
		}
	}
	if in.Moved != nil {
		var err error
		if in.left, err = x.leaveMoved(bucket, in.Moved); err != nil {
			return err
		}
	}
	return x.dropIntent(bucket, name)
}

func (c Conditions) checkRecord(r *record) error {
	if r == nil {
		return c.Check(nil)
	}
	return c.Check(r.object("", ""))
}

// Delete implements ObjectWriter.
func (l *Local) Delete(_ context.Context, bucket, name string, c Conditions) error {
	lock := l.names.of(bucket, name)
	lock.Lock()
	defer lock.Unlock()
	if err := l.settleLeftover(bucket, name); err != nil {
		return err
	}
	var in *intent
	err := l.updateSurely(func(x index) error {
		r, err := x.existing(bucket, name)
		if err != nil {
			return err
		}
		if err := c.checkRecord(r); err != nil {
			return err
		}
		in = &intent{Record: *r, Unlink: true}
		if err := x.putIntent(bucket, name, in); err != nil {
			return err
		}
		return x.deleteRecord(bucket, name)
	})
	if err != nil {
		return err
	}
	crash.Point("object deleted")
	l.removeDeleted(bucket, name, in.Record.Path)
	return nil
}

// unlink removes a file of a bucket and the folders that are empty without it.
func (l *Local) unlink(bucket, path string) error {
	return l.dirs.remove(filepath.Join(l.dir, bucket), l.file(bucket, path))
}
