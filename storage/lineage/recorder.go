package lineage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Access is one use of one object.
type Access struct {
	// Job is PROJECT.JOB.
	Job          string
	Bucket, Name string
	Generation   int64
	// Bytes is how many were read, or the size of what was written.
	Bytes int64
	Write bool
}

// use names what accesses are summed over.
type use struct {
	job, bucket, name string
	generation        int64
	write             bool
}

// entry is what is not in the file yet of one use.
type entry struct {
	use   use
	bytes int64
	last  time.Time
	// waits is true while the entry is in Recorder.waiting.
	waits bool
}

// Recorder records what jobs use. It is safe for concurrent use.
type Recorder struct {
	dir string
	log zerolog.Logger
	// limit bounds each of the two maps of entries; long is from which size in
	// bytes on a file is rewritten.
	limit int
	long  int64

	// flushing lets one flush at a time work: who waits for it finds all on disk.
	flushing sync.Mutex

	mu sync.Mutex
	// Entries begin in young. Once that is full, and now and then, it becomes
	// old, and what was in old and has not been used since is forgotten.
	young, old map[use]*entry
	// waiting has the entries with bytes that are not in a file yet.
	waiting []*entry

	files files
}

// maxEntries bounds the memory for entries to some 10 MB.
const maxEntries = 1 << 14

// flushEvery is how often sums are written; forgetEvery how often what jobs no
// longer use is forgotten.
const (
	flushEvery  = time.Second
	forgetEvery = 10 * time.Minute
)

// Open prepares recording in dir, which it makes if need be.
func Open(dir string, log zerolog.Logger) (*Recorder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of lineage: %w", err)
	}
	return &Recorder{
		dir: dir, log: log, limit: maxEntries, long: longFile,
		young: map[use]*entry{}, files: files{rewritten: map[string]int64{}},
	}, nil
}

// Observe records an access. The first of its kind is in the job's file when it
// returns.
func (r *Recorder) Observe(a Access) {
	now := time.Now()
	r.mu.Lock()
	e, known := r.entry(use{a.Job, a.Bucket, a.Name, a.Generation, a.Write})
	if known {
		e.bytes += a.Bytes
		e.last = now
		r.wait(e)
		r.mu.Unlock()
		return
	}
	r.mu.Unlock()
	if err := r.write(a.Job, []line{lineOf(e.use, a.Bytes, now)}); err != nil {
		r.log.Warn().Err(err).Str("job", a.Job).Msg("lineage not written; trying again")
		r.mu.Lock()
		e.bytes += a.Bytes
		e.last = now
		r.wait(e)
		r.mu.Unlock()
	}
}

// entry finds the entry of a use, or makes it. The caller has the lock.
func (r *Recorder) entry(u use) (e *entry, known bool) {
	if e, known = r.young[u]; known {
		return e, true
	}
	if e, known = r.old[u]; !known {
		e = &entry{use: u}
	}
	if len(r.young) >= r.limit {
		r.forget()
	}
	r.young[u] = e
	return e, known
}

// forget drops the entries that were not used lately. The caller has the lock.
func (r *Recorder) forget() { r.old, r.young = r.young, map[use]*entry{} }

// wait lets the next flush write an entry. The caller has the lock.
func (r *Recorder) wait(e *entry) {
	if !e.waits {
		e.waits = true
		r.waiting = append(r.waiting, e)
	}
}

// Run writes sums until ctx ends, and then the last ones.
func (r *Recorder) Run(ctx context.Context) error {
	flush, forget := time.NewTicker(flushEvery), time.NewTicker(forgetEvery)
	defer flush.Stop()
	defer forget.Stop()
	for {
		select {
		case <-flush.C:
			r.Flush()
		case <-forget.C:
			r.mu.Lock()
			r.forget()
			r.mu.Unlock()
		case <-ctx.Done():
			r.Flush()
			return nil
		}
	}
}

// Flush writes what is not in the files yet. What cannot be written stays for
// the next time.
func (r *Recorder) Flush() {
	r.flushing.Lock()
	defer r.flushing.Unlock()
	r.mu.Lock()
	waiting := r.waiting
	r.waiting = nil
	lines := map[string][]line{}
	for _, e := range waiting {
		lines[e.use.job] = append(lines[e.use.job], lineOf(e.use, e.bytes, e.last))
		e.bytes, e.waits = 0, false
	}
	r.mu.Unlock()
	for job, l := range lines {
		if err := r.write(job, l); err != nil {
			r.log.Warn().Err(err).Str("job", job).Msg("lineage not written; trying again")
			r.putBack(job, l)
		}
	}
}

// putBack makes lines wait again that could not be written.
func (r *Recorder) putBack(job string, lines []line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range lines {
		e, _ := r.entry(l.use(job))
		e.bytes += l.Bytes
		if l.Time.After(e.last) {
			e.last = l.Time
		}
		r.wait(e)
	}
}

func (r *Recorder) path(job string) string { return filepath.Join(r.dir, job+".jsonl") }
