package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hearth/ml"
)

// stream iterates over one of a process's two files.
type stream struct {
	query    *Query
	task     string
	number   int
	prefix   string
	marks    *markReader
	lines    lineReader
	skip     int64     // lines that end here or before are older than From
	ended    bool      // the process has ended: its files will not grow
	exitTime time.Time // when that became known; not before the last mark
	// dropped is how much of the beginning is gone; notice is the entry that
	// says so, and held the first one after it.
	dropped int64
	notice  bool
	held    *Entry
}

// openProcess adds the streams of the process in dir.
func (r *reader) openProcess(dir string, attempt int, task string) error {
	if !r.wants(task) {
		return nil
	}
	// Whether it has ended comes first: only then are the marks that we find
	// known to be all. The mark of a line must never be seen after the line was
	// given the time of the exit.
	exit, err := exitTime(filepath.Join(dir, ml.FileExit))
	if err != nil {
		return err
	}
	index, err := r.file(filepath.Join(dir, ml.FileLogIndex))
	if err != nil {
		return err
	}
	dropped, err := readDrop(filepath.Join(dir, ml.FileLogDrop))
	if err != nil {
		return err
	}
	for number, name := range []string{streamStdout: ml.FileStdout, streamStderr: ml.FileStderr} {
		src, err := r.file(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		s := &stream{query: &r.query, task: task, number: number, prefix: idPrefix(attempt, task, number), ended: !exit.IsZero(), exitTime: exit}
		s.dropped = min(src.Size(), dropped[number])
		wanted, err := s.seek(newMarks(index), src)
		if err != nil {
			return err
		}
		if wanted {
			r.iterators = append(r.iterators, s)
		}
	}
	return nil
}

// readDrop gives how much of the two files is gone.
func readDrop(path string) (dropped [2]int64, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return dropped, nil
	}
	if err != nil {
		return dropped, err
	}
	var d ml.LogDrop
	if err := json.Unmarshal(b, &d); err != nil {
		return dropped, fmt.Errorf("read %s: %w", path, err)
	}
	return [2]int64{streamStdout: d.Stdout, streamStderr: d.Stderr}, nil
}

// exitTime is when exit.json was written, zero if it is not there.
func exitTime(path string) (time.Time, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime().UTC(), nil
}

// seek goes to the first line that the query may want, without reading what
// is before it; false if there is none.
func (s *stream) seek(m marks, src source) (bool, error) {
	limit, err := s.readable(m, src)
	if err != nil {
		return false, err
	}
	from := s.query.From
	later, err := m.first(func(mark ml.LogMark) bool { return mark.Time.After(from) })
	if err != nil {
		return false, err
	}
	first := later
	// At the time From itself, either all of this file was seen, or what is
	// before AfterID's offset, or nothing.
	if allSeen := s.query.AfterID >= s.prefix+"g"; !allSeen {
		if first, err = m.first(func(mark ml.LogMark) bool { return !mark.Time.Before(from) }); err != nil {
			return false, err
		}
	}
	if first == m.n && !s.ended {
		return false, nil
	}
	if s.skip, err = m.sizeBefore(first, s.number); err != nil {
		return false, err
	}
	start := s.skip
	if off, ok := offsetOf(s.prefix, s.query.AfterID); ok {
		// Lines up to here are not later than From.
		reached, err := m.sizeBefore(later, s.number)
		if err != nil {
			return false, err
		}
		if s.ended && !s.exitTime.After(from) {
			reached = limit
		}
		start = max(start, min(off, reached))
	}
	if start, err = lineStart(src, max(min(start, limit), s.dropped), s.dropped); err != nil {
		return false, err
	}
	s.notice = s.dropped > 0 && start == s.dropped
	s.marks = m.from(first)
	s.lines = newLineReader(src, start, limit, s.ended)
	return true, nil
}

// readable gives the size up to which the file may be read: what is marked,
// or all of it once the process has ended.
func (s *stream) readable(m marks, src source) (int64, error) {
	limit, err := m.sizeBefore(m.n, s.number)
	if err != nil || !s.ended {
		return min(limit, src.Size()), err
	}
	if m.n > 0 {
		last, err := m.at(m.n - 1)
		if err != nil {
			return 0, err
		}
		if last.Time.After(s.exitTime) {
			s.exitTime = last.Time
		}
	}
	return src.Size(), nil
}

func (s *stream) next() (Entry, bool, error) {
	if e := s.held; e != nil {
		s.held = nil
		return *e, true, nil
	}
	e, ok, err := s.nextLine()
	if !s.notice || !ok || err != nil {
		return e, ok, err
	}
	s.notice = false
	notice := Entry{
		Time: e.Time, InsertID: insertID(s.prefix, s.dropped-1), Severity: SeverityWarning, Task: s.task,
		Message: fmt.Sprintf("[The first %d bytes of this log are gone: it grew beyond its limit.]", s.dropped),
	}
	if s.query.seen(notice.Time, notice.InsertID) {
		return e, true, nil
	}
	s.held = &e
	return notice, true, nil
}

// nextLine gives the next entry that was written.
func (s *stream) nextLine() (Entry, bool, error) {
	for {
		start := s.lines.pos
		kind, err := s.lines.read()
		if err != nil || kind == lineNone {
			return Entry{}, false, err
		}
		if s.lines.need <= s.skip && kind != lineLast {
			continue
		}
		at, ok, err := s.timeOf(s.lines.need, kind)
		if err != nil || !ok || !at.Before(s.query.Before) {
			return Entry{}, false, err
		}
		id := insertID(s.prefix, start)
		if s.query.seen(at, id) {
			continue
		}
		return s.entry(at, id, s.lines.text(), kind), true, nil
	}
}

func (s *stream) entry(at time.Time, id, text string, kind lineKind) Entry {
	e := Entry{Time: at, InsertID: id, Task: s.task, Message: text}
	if kind != linePart {
		if message, level, payload, ok := structured(s.number, text); ok {
			e.Message, e.Severity, e.Payload = message, level, payload
			return e
		}
	}
	e.Severity = severity(s.number, text)
	return e
}

// timeOf gives the time at which the file had the size that an entry needs;
// false if it has not been marked yet. A last line without a line end became
// one when the process ended.
func (s *stream) timeOf(need int64, kind lineKind) (time.Time, bool, error) {
	if kind == lineLast {
		return s.exitTime, true, nil
	}
	ok, err := s.marks.reach(s.number, need)
	if err != nil || ok {
		return s.marks.mark.Time, ok, err
	}
	return s.exitTime, s.ended, nil
}
