package object

import (
	"context"
	"errors"

	bolt "go.etcd.io/bbolt"

	"hearth/ml"
	"hearth/ml/crash"
)

// moved says which object an intent's content comes from, and so which one goes
// when the intent is carried out.
type moved struct {
	Name           string `json:"name"`
	Generation     int64  `json:"generation"`
	Metageneration int64  `json:"metageneration"`
}

// Move implements ObjectWriter. It is a write of the new name whose last
// transaction also drops the old one and keeps an intent to remove its file. A
// crash before that transaction leaves what it leaves of any other write; one
// after it, what it leaves of a delete.
func (l *Local) Move(ctx context.Context, m MoveRequest) (*Object, error) {
	p := PutRequest{Bucket: m.Bucket, Name: m.To, If: m.If}
	if err := l.checkPut(p); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	defer l.names.lockBoth(m.Bucket, m.From, m.To)()
	if err := errors.Join(l.settleLeftover(m.Bucket, m.From), l.settleLeftover(m.Bucket, m.To)); err != nil {
		return nil, err
	}
	st, from, err := l.stageMove(ctx, m)
	if err != nil {
		return nil, err
	}
	p.Attributes = from.Attributes
	in, err := l.placeLocked(st, p)
	if err != nil {
		l.discard(st)
		return nil, err
	}
	if in.left != nil {
		l.removeDeleted(m.Bucket, m.From, in.left.Path)
	}
	return in.Record.object(m.Bucket, m.To), nil
}

// stageMove gives the content of the object From a second name in the staging
// folder, or copies it where the file system has no hard links. The caller
// holds the locks of both names.
func (l *Local) stageMove(ctx context.Context, m MoveRequest) (*staged, *Object, error) {
	src, link, err := l.linkLocked(CopyRequest{FromBucket: m.Bucket, From: m.From, FromIf: m.FromIf})
	if err != nil {
		return nil, nil, err
	}
	defer src.Close()
	o := src.object
	p := PutRequest{Bucket: m.Bucket, Name: m.To, Attributes: o.Attributes}
	st, err := l.stageCopy(ctx, src, link, p)
	if err != nil {
		return nil, nil, err
	}
	st.moved = &moved{o.Name, o.Generation, o.Metageneration}
	return st, o, nil
}

// leaveMoved drops the object that an intent moved away, keeps an intent to
// remove its file, and gives what was known of it. If that object has changed
// since, it stays, and what was moved is copied: that takes an error in the
// middle of a move, and then a change of the old name before one of the new.
func (x index) leaveMoved(bucket string, m *moved) (*record, error) {
	r, err := x.record(bucket, m.Name)
	if err != nil || r == nil || r.Generation != m.Generation || r.Metageneration != m.Metageneration {
		return nil, err
	}
	if pending, err := x.intent(bucket, m.Name); err != nil || pending != nil && !pending.Unlink {
		return nil, err
	}
	if err := x.putIntent(bucket, m.Name, &intent{Record: *r, Unlink: true}); err != nil {
		return nil, err
	}
	return r, x.deleteRecord(bucket, m.Name)
}

// removeDeleted removes the file of an object that has gone from the index, and
// then the intent to do so. The caller holds the name's lock.
func (l *Local) removeDeleted(bucket, name, path string) {
	dropNote(l.file(bucket, path), bucket, name) // a hard link of it may live on
	if err := l.unlink(bucket, path); err != nil {
		// The object is gone all the same; the intent sees to its file.
		l.leave(bucket, name)
		l.o.Log.Warn().Err(err).Str("bucket", bucket).Msg("a deleted object's file stays for now")
		return
	}
	crash.Point("object unlinked")
	l.batch.later(func(tx *bolt.Tx) error { return index{tx}.dropIntent(bucket, name) })
}

// check gives INVALID_ARGUMENT for a move that goes nowhere.
func (m MoveRequest) check() error {
	if m.From == m.To {
		return ml.FieldErrorf("destinationObject", "The object %s cannot be moved onto itself: give another name.", m.From)
	}
	return nil
}
