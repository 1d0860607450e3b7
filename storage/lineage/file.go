package lineage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"sync"
	"time"
)

// line is one line of a job's file.
type line struct {
	Bucket     string    `json:"bucket"`
	Name       string    `json:"name"`
	Generation int64     `json:"generation"`
	Bytes      int64     `json:"bytes"`
	Write      bool      `json:"write,omitempty"`
	Time       time.Time `json:"time"`
}

func lineOf(u use, bytes int64, at time.Time) line {
	return line{u.bucket, u.name, u.generation, bytes, u.write, at.UTC()}
}

func (l line) use(job string) use { return use{job, l.Bucket, l.Name, l.Generation, l.Write} }

// files lets one at a time append to a job's file or rewrite it.
type files struct {
	locks [16]sync.Mutex

	mu sync.Mutex
	// rewritten has the sizes that long files had when they were last rewritten.
	rewritten map[string]int64
}

var seed = maphash.MakeSeed()

func (f *files) lock(job string) *sync.Mutex {
	return &f.locks[maphash.String(seed, job)%uint64(len(f.locks))]
}

// write appends lines to a job's file with one system call, which a kill of the
// daemon does not divide.
func (r *Recorder) write(job string, lines []line) error {
	var text bytes.Buffer
	text.WriteByte('\n') // left out below unless it has to end a torn line
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	for _, l := range lines {
		if err := encoder.Encode(l); err != nil {
			return err
		}
	}
	lock := r.files.lock(job)
	lock.Lock()
	defer lock.Unlock()
	size, err := appendTo(r.path(job), text.Bytes())
	if err != nil {
		return fmt.Errorf("write lineage: %w", err)
	}
	return r.shorten(job, size)
}

// appendTo appends text, without its first byte, to a file, and gives the size
// that the file has then. A full disk or a power cut can have torn the file's
// last line: text then begins a new one.
func appendTo(path string, text []byte) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	last := []byte{'\n'}
	if info.Size() > 0 {
		if _, err := f.ReadAt(last, info.Size()-1); err != nil {
			return 0, err
		}
	}
	if last[0] == '\n' {
		text = text[1:]
	}
	if _, err := f.Write(text); err != nil {
		// All of it is written again later: what came through must not count twice.
		return 0, errors.Join(err, f.Truncate(info.Size()))
	}
	return info.Size() + int64(len(text)), nil
}

// longFile is the size in bytes from which on a file is rewritten when it has
// doubled: a million objects, read again and again, must not fill the disk.
const longFile = 64 << 20

// shorten rewrites a long file with one line for each object. The caller has
// the file's lock.
func (r *Recorder) shorten(job string, size int64) error {
	if size < r.long {
		return nil
	}
	r.files.mu.Lock()
	before := r.files.rewritten[job]
	r.files.mu.Unlock()
	if size < 2*before {
		return nil
	}
	size, err := rewrite(r.path(job))
	if err != nil {
		// The lines are written all the same.
		r.log.Warn().Err(err).Str("job", job).Msg("lineage not shortened")
		return nil
	}
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	r.files.rewritten[job] = size
	return nil
}

// rewrite replaces a file by one with the sums of its lines, and gives its size.
func rewrite(path string) (size int64, err error) {
	sums, err := readSums(path)
	if err != nil {
		return 0, err
	}
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer os.Remove(next)
	w := bufio.NewWriter(f)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for u, s := range sums {
		if err == nil {
			err = encoder.Encode(lineOf(u, s.bytes, s.last))
		}
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(next, path)
}

// sum is what the lines of one use add up to.
type sum struct {
	bytes int64
	last  time.Time
}

// readSums adds up the lines of a file; a missing one has none. Lines that
// cannot be parsed were torn.
func readSums(path string) (map[use]sum, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sums := map[use]sum{}
	s := bufio.NewScanner(f)
	s.Buffer(nil, longFile) // a power cut can leave pages of zeros
	for s.Scan() {
		var l line
		if json.Unmarshal(s.Bytes(), &l) != nil || l.Bucket == "" {
			continue
		}
		u := l.use("")
		was := sums[u]
		was.bytes += l.Bytes
		if l.Time.After(was.last) {
			was.last = l.Time
		}
		sums[u] = was
	}
	return sums, s.Err()
}
