package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hearth/ml"
)

// TaskService is the task name of Hearth's own entries.
const TaskService = "service"

// Severities that entries carry, as Cloud Logging names them.
const (
	SeverityDebug    = "DEBUG"
	SeverityInfo     = "INFO"
	SeverityWarning  = "WARNING"
	SeverityError    = "ERROR"
	SeverityCritical = "CRITICAL"
)

const (
	// settle is how old an entry must be. Marks and service entries take their
	// time just before they are written, so that in the last moment an entry may
	// still turn up before one that is there.
	settle = 100 * time.Millisecond
	// defaultLimit and maxBytes bound one answer.
	defaultLimit = 1000
	maxBytes     = 16 << 20
	// maxGap is how many attempts in a row may have no folder, before the last
	// one that has: an attempt can end before it gets one.
	maxGap = 8
)

// Store reads and writes the logs below one attempts folder.
type Store struct {
	dir  string
	now  func() time.Time
	open func(path string) (source, error)
}

// Open gives the store of an attempts folder, which need not exist yet.
func Open(attemptsDir string) *Store {
	return &Store{dir: attemptsDir, now: time.Now, open: openFile}
}

// Entry is one line of a job's log.
type Entry struct {
	Time time.Time
	// InsertID has a fixed length and orders entries of the same Time.
	InsertID string
	Severity string
	// Task is the process that wrote it, such as master-replica-0.
	Task    string
	Message string
	// Payload is the line where that is a JSON object, of which Message is a
	// part.
	Payload json.RawMessage
}

// Query asks for entries of one job, of all its attempts and tasks.
type Query struct {
	Project, Job string
	// Task, if set, is the only task to read.
	Task string
	// From is the earliest time; entries of exactly this time need an InsertID
	// above AfterID.
	From    time.Time
	AfterID string
	// Before, if set, bounds the time from above. Entries of the last tenth of a
	// second are never returned: they may not be complete.
	Before time.Time
	// Limit is the most entries to return; 0 means 1000.
	Limit int
}

// Entries returns the first entries that match, ordered by Time and InsertID.
// To go on, ask with From and AfterID of the last one. The end is where no
// entry comes back: there may be fewer than Limit before it, since one answer
// holds at most some megabytes. A job without logs has no entries.
func (s *Store) Entries(ctx context.Context, q Query) ([]Entry, error) {
	if ml.CheckID("job", q.Job) != nil || q.Project == "" || strings.ContainsAny(q.Project, "/\x00") {
		return nil, nil // no such job: its name must not lead out of the folder
	}
	if limit := s.now().Add(-settle); q.Before.IsZero() || q.Before.After(limit) {
		q.Before = limit
	}
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	r := &reader{store: s, query: q}
	defer r.close()
	if err := r.openAll(); err != nil {
		return nil, fmt.Errorf("read logs of job %s: %w", q.Job, err)
	}
	entries, err := r.merge(ctx)
	if err != nil {
		return nil, fmt.Errorf("read logs of job %s: %w", q.Job, err)
	}
	return entries, nil
}

// iterator gives a file's matching entries in order; ok is false at the end.
type iterator interface {
	next() (e Entry, ok bool, err error)
}

// reader answers one query.
type reader struct {
	store     *Store
	query     Query
	files     []source
	iterators []iterator
}

func (r *reader) close() {
	for _, f := range r.files {
		_ = f.Close() // only read from
	}
}

// file opens a file for as long as the reader is open.
func (r *reader) file(path string) (source, error) {
	f, err := r.store.open(path)
	if err == nil {
		r.files = append(r.files, f)
	}
	return f, err
}

// openAll opens the files of all attempts.
func (r *reader) openAll() error {
	for n, gap := 1, 0; gap < maxGap; n++ {
		dir := filepath.Join(r.store.dir, fmt.Sprintf("%s.%s.%d", r.query.Project, r.query.Job, n))
		found, err := r.openAttempt(dir, n)
		if err != nil {
			return err
		}
		if gap++; found {
			gap = 0
		}
	}
	return nil
}

func (r *reader) openAttempt(dir string, n int) (found bool, err error) {
	tasks, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, task := range tasks {
		name := task.Name()
		switch {
		case name == serviceFile:
			err = r.openService(filepath.Join(dir, name), n)
		case task.IsDir():
			err = r.openProcess(filepath.Join(dir, name), n, name)
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

func (r *reader) wants(task string) bool { return r.query.Task == "" || r.query.Task == task }

// merge takes entries from the iterators in order.
func (r *reader) merge(ctx context.Context) ([]Entry, error) {
	heads := make([]Entry, 0, len(r.iterators))
	live := make([]iterator, 0, len(r.iterators))
	for _, it := range r.iterators {
		e, ok, err := it.next()
		if err != nil {
			return nil, err
		}
		if ok {
			heads, live = append(heads, e), append(live, it)
		}
	}
	var entries []Entry
	for size := 0; len(live) > 0 && len(entries) < r.query.Limit && size < maxBytes; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		first := 0
		for i := range heads {
			if heads[i].before(&heads[first]) {
				first = i
			}
		}
		entries = append(entries, heads[first])
		size += len(heads[first].Message)
		e, ok, err := live[first].next()
		if err != nil {
			return nil, err
		}
		heads[first] = e
		if !ok {
			last := len(live) - 1
			heads[first], live[first] = heads[last], live[last]
			heads, live = heads[:last], live[:last]
		}
	}
	return entries, nil
}

func (e *Entry) before(o *Entry) bool {
	if c := e.Time.Compare(o.Time); c != 0 {
		return c < 0
	}
	return e.InsertID < o.InsertID
}

// seen reports whether an entry of this time and id is one that the query has
// passed already.
func (q *Query) seen(at time.Time, id string) bool {
	return at.Before(q.From) || at.Equal(q.From) && id <= q.AfterID
}
