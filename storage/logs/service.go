package logs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// serviceFile is the file in an attempt's folder that holds what Hearth has to
// say about it.
const serviceFile = "service.jsonl"

// serviceRecord is one line of service.jsonl.
type serviceRecord struct {
	Time     time.Time `json:"time"`
	Severity string    `json:"severity"`
	Message  string    `json:"message"`
}

// ServiceLog appends Hearth's own entries to an attempt's log. It holds no
// state: several processes may write to one attempt.
type ServiceLog struct {
	dir string
	now func() time.Time
}

// Service gives the service log of an attempt, such as hearth.census_1.1.
func (s *Store) Service(attempt string) *ServiceLog {
	return &ServiceLog{dir: filepath.Join(s.dir, attempt), now: s.now}
}

// Info records an entry of severity INFO. An error means that it was not
// recorded.
func (l *ServiceLog) Info(format string, args ...any) error {
	return l.add(SeverityInfo, format, args...)
}

// Warn is Info with severity WARNING.
func (l *ServiceLog) Warn(format string, args ...any) error {
	return l.add(SeverityWarning, format, args...)
}

// Error is Info with severity ERROR.
func (l *ServiceLog) Error(format string, args ...any) error {
	return l.add(SeverityError, format, args...)
}

func (l *ServiceLog) add(severity, format string, args ...any) error {
	if err := l.write(severity, fmt.Sprintf(format, args...)); err != nil {
		return fmt.Errorf("write service log: %w", err)
	}
	return nil
}

// write appends a line with a single call, which the kernel does not mix with
// those of others.
func (l *ServiceLog) write(severity, message string) (err error) {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(l.dir, serviceFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if len(message) > maxLine {
		message = message[:maxLine]
	}
	b, err := json.Marshal(serviceRecord{l.now().UTC(), severity, strings.ToValidUTF8(message, "\uFFFD")})
	if err == nil {
		_, err = f.Write(append(b, '\n'))
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// service iterates over a service.jsonl. It is short, so it is always read
// from its beginning: where two writers overtook each other, or the clock was
// set back, an entry takes the time of the one before it, so that times do not
// go down.
type service struct {
	query  *Query
	prefix string
	r      *bufio.Reader
	pos    int64
	latest time.Time
}

func (r *reader) openService(path string, attempt int) error {
	if !r.wants(TaskService) {
		return nil
	}
	src, err := r.file(path)
	if err != nil {
		return err
	}
	r.iterators = append(r.iterators, &service{
		query:  &r.query,
		prefix: idPrefix(attempt, TaskService, 0),
		r:      bufio.NewReader(io.NewSectionReader(src, 0, src.Size())),
	})
	return nil
}

func (s *service) next() (Entry, bool, error) {
	for {
		start := s.pos
		line, err := s.r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return Entry{}, false, nil // what has no line end is still being written
		}
		if err != nil {
			return Entry{}, false, err
		}
		s.pos += int64(len(line))
		var record serviceRecord
		if json.Unmarshal(line, &record) != nil {
			// Cut short by a crash in mid-write: better shown than lost.
			record = serviceRecord{Severity: SeverityError, Message: strings.ToValidUTF8(strings.TrimSpace(string(line)), "\uFFFD")}
		}
		if record.Time.After(s.latest) {
			s.latest = record.Time.UTC()
		}
		if !s.latest.Before(s.query.Before) {
			return Entry{}, false, nil
		}
		id := insertID(s.prefix, start)
		if s.query.seen(s.latest, id) {
			continue
		}
		return Entry{Time: s.latest, InsertID: id, Severity: record.Severity, Task: TaskService, Message: record.Message}, true, nil
	}
}
