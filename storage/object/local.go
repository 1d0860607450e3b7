package object

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// LocalOptions adjusts a Local.
type LocalOptions struct {
	// ReserveBytes is how much of the disk stays free: writes that would leave
	// less are RESOURCE_EXHAUSTED, reads and deletes go on.
	ReserveBytes int64
	// Log hears what was repaired after a crash.
	Log zerolog.Logger
}

// Local is the Store of plain files.
type Local struct {
	*indexDB
	dir   string
	o     LocalOptions
	names nameLocks
	dirs  folders
	spare spare
	// buckets is held while a bucket comes or goes, so that its folder and its
	// place in the index agree.
	buckets sync.Mutex
	// leftovers has the intent keys of names on which an error left an intent.
	leftovers sync.Map
	links     atomic.Int64 // names hard links in .tmp

	uploads struct {
		mu   sync.Mutex
		open map[string]*spool
	}
	sweeps  sweeps
	closing sync.Once
	closed  error
}

var _ Store = (*Local)(nil)

// OpenLocal opens the store in dir, which it makes if need be, and repairs what
// a crash left half done. An index that is missing or damaged is made anew from
// the files, which takes as long as reading them. Only one process may have the
// store open: FAILED_PRECONDITION for the second.
func OpenLocal(dir string, o LocalOptions) (*Local, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = makeFolders(dir, stageDir, uploadDir)
	}
	if err != nil {
		return nil, fmt.Errorf("open the objects: %w", diskError(err))
	}
	x, err := recoverIndex(dir, o.Log)
	if err != nil {
		return nil, err
	}
	l := &Local{indexDB: x, dir: dir, o: o}
	l.names.seed = maphash.MakeSeed()
	l.spare.open(dir)
	l.uploads.open = map[string]*spool{}
	if err := l.repair(); err != nil {
		return nil, errors.Join(fmt.Errorf("repair the objects in %s: %w", dir, err), x.db.Close())
	}
	return l, nil
}

// repair makes the store whole before others use it.
func (l *Local) repair() error {
	if err := l.reconcile(); err != nil {
		return err
	}
	rebuild, err := l.rebuilding()
	if err != nil {
		return err
	}
	if !rebuild {
		return l.clearBuckets()
	}
	done, err := l.Reindex(context.Background(), nil)
	if err != nil {
		return err
	}
	if done.Objects > 0 {
		l.o.Log.Warn().Int64("objects", done.Objects).Msg("made the objects' index from their files")
	}
	return l.rebuilt()
}

// Close ends the use of the store. Calls that are under way fail. It may be
// called again.
func (l *Local) Close() error {
	l.closing.Do(func() {
		l.closed = l.indexDB.close()
	})
	return l.closed
}

// file gives the path of a file of a bucket.
func (l *Local) file(bucket, path string) string { return filepath.Join(l.dir, bucket, path) }

// nameLocks guards names, many of them with one lock: a writer has it from its
// intent to its commit, so that readers see record and file of one generation.
type nameLocks struct {
	seed  maphash.Seed
	locks [1024]sync.RWMutex
}

func (n *nameLocks) of(bucket, name string) *sync.RWMutex {
	return &n.locks[n.number(bucket, name)]
}

// lockBoth locks two names of a bucket for writing, in the order that everybody
// takes, and gives what unlocks them.
func (n *nameLocks) lockBoth(bucket, a, b string) (unlock func()) {
	first, second := n.number(bucket, a), n.number(bucket, b)
	if first > second {
		first, second = second, first
	}
	n.locks[first].Lock()
	if first == second {
		return n.locks[first].Unlock
	}
	n.locks[second].Lock()
	return func() {
		n.locks[second].Unlock()
		n.locks[first].Unlock()
	}
}

func (n *nameLocks) number(bucket, name string) uint64 {
	var h maphash.Hash
	h.SetSeed(n.seed)
	_, _ = h.WriteString(bucket)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(name)
	return h.Sum64() % uint64(len(n.locks))
}
