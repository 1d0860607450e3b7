package logs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

// follower reads a growing log in polls.
type follower interface {
	query() Query
	take([]Entry)
	entries() []Entry
}

// gcloudFollower pages as gcloud does: by timestamp>="X", and only after
// entries of equal times by ((timestamp="X" AND insertId>"Y") OR timestamp>"X");
// it drops what it knows.
type gcloudFollower struct {
	timestamp, insertID string
	byID                bool
	got                 []Entry
}

func (f *gcloudFollower) query() Query {
	q := Query{}
	if f.timestamp != "" {
		q.From, _ = time.Parse(time.RFC3339Nano, f.timestamp)
	}
	if f.byID {
		q.AfterID = f.insertID
	}
	return q
}

func (f *gcloudFollower) take(entries []Entry) {
	for _, e := range entries {
		timestamp := ml.At(e.Time).String()
		switch {
		case timestamp < f.timestamp || timestamp == f.timestamp && e.InsertID <= f.insertID:
			continue
		case timestamp == f.timestamp:
			f.byID = true
		default:
			f.timestamp, f.byID = timestamp, false
		}
		f.insertID = e.InsertID
		f.got = append(f.got, e)
	}
}

func (f *gcloudFollower) entries() []Entry { return f.got }

// plainFollower goes on from the last entry.
type plainFollower struct{ got []Entry }

func (f *plainFollower) query() Query {
	if len(f.got) == 0 {
		return Query{}
	}
	last := f.got[len(f.got)-1]
	return Query{From: last.Time, AfterID: last.InsertID}
}

func (f *plainFollower) take(entries []Entry) { f.got = append(f.got, entries...) }

func (f *plainFollower) entries() []Entry { return f.got }

// writer is a process of the simulation: what it is about to print and what
// it has written, to stdout and stderr.
type writer struct {
	*process
	task    string
	ended   bool
	pending [2]string
	written [2]string
}

// simulation is a job whose processes write, are marked and end at random.
type simulation struct {
	*attempts
	r       *rand.Rand
	now     time.Time
	writers []*writer
	service []string
	lines   int
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{attempts: newAttempts(t), r: rand.New(rand.NewPCG(seed, 1)), now: start}
	s.store.now = func() time.Time { return s.now }
	return s
}

func (s *simulation) step() {
	if s.r.IntN(3) == 0 {
		s.now = s.now.Add(time.Duration(s.r.IntN(40)) * time.Millisecond)
	}
	if len(s.writers) == 0 || s.r.IntN(60) == 0 && len(s.writers) < 5 {
		// Later tasks sort before and after earlier ones.
		task := []string{master, "worker-replica-1", "environment", "evaluator-replica-0", "worker-replica-0"}[len(s.writers)]
		s.writers = append(s.writers, &writer{process: s.process(1+len(s.writers)%2, task), task: task})
	}
	w := s.writers[s.r.IntN(len(s.writers))]
	switch n := s.r.IntN(10); {
	case n == 0:
		message := fmt.Sprintf("service %d", len(s.service))
		if err := s.store.Service("hearth.census_1.1").Info("%s", message); err != nil {
			s.t.Fatal(err)
		}
		s.service = append(s.service, message)
	case w.ended:
	case n < 7:
		s.print(w, s.r.IntN(2))
	case n < 9:
		w.marked(s.now)
	case s.r.IntN(30) == 0:
		s.end(w)
	}
}

// redrawn is what a progress bar prints before it shows the line's real text.
const redrawn = "10%\r50%\b\b\b60%\r\x1b[K"

// print adds a line to what the process has to write and writes some of it,
// in pieces that end anywhere.
func (s *simulation) print(w *writer, stream int) {
	s.lines++
	line := fmt.Sprintf("line %d ü€😀", s.lines)
	switch s.r.IntN(120) {
	case 0:
		line += strings.Repeat("é", maxLine+s.r.IntN(3))
	case 1, 2, 3, 4:
		line = ""
	case 5, 6, 7, 8:
		line = redrawn + line
	}
	w.pending[stream] += line + "\n"
	s.write(w, stream, s.r.IntN(len(w.pending[stream])+1))
}

func (s *simulation) write(w *writer, stream, n int) {
	part := w.pending[stream][:n]
	w.pending[stream] = w.pending[stream][n:]
	w.written[stream] += part
	if stream == streamStdout {
		w.stdout(part)
	} else {
		w.stderr(part)
	}
}

// end lets the process write the rest or die in the middle of it, with or
// without a last mark.
func (s *simulation) end(w *writer) {
	w.ended = true
	for stream := range w.pending {
		if s.r.IntN(2) == 0 {
			s.write(w, stream, len(w.pending[stream]))
		}
	}
	if s.r.IntN(2) == 0 {
		w.marked(s.now)
	}
	s.now = s.now.Add(time.Duration(s.r.IntN(20)) * time.Millisecond)
	w.exit(s.now)
}

// shown gives the messages that whole lines make, and whether more follows.
func shown(written string) (messages []string, more bool) {
	lines := strings.Split(written, "\n")
	last := len(lines) - 1
	for _, line := range lines[:last] {
		runes := []rune(strings.TrimPrefix(line, redrawn))
		for len(runes) > maxLine {
			messages = append(messages, string(runes[:maxLine]))
			runes = runes[maxLine:]
		}
		messages = append(messages, string(runes))
	}
	return messages, lines[last] != ""
}

// compare holds a complete log to what was written.
func (s *simulation) compare(got []Entry) {
	s.t.Helper()
	texts := map[string][]string{}
	for i, e := range got {
		if i > 0 && !got[i-1].before(&got[i]) {
			s.t.Errorf("entry %d is not after the one before it: %v, %v", i, got[i-1].Time, e.Time)
		}
		if len(e.InsertID) != len(got[0].InsertID) {
			s.t.Errorf("insert id %q has another length than %q", e.InsertID, got[0].InsertID)
		}
		if !utf8.ValidString(e.Message) {
			s.t.Errorf("message %q", e.Message)
		}
		file := e.Task
		if e.Task != TaskService {
			file += e.InsertID[20:21] // the stream
		}
		texts[file] = append(texts[file], e.Message)
	}
	if diff := cmp.Diff(s.service, texts[TaskService]); diff != "" {
		s.t.Errorf("service entries (-want +got):\n%s", diff)
	}
	for _, w := range s.writers {
		for stream, written := range w.written {
			want, more := shown(written)
			messages := texts[fmt.Sprint(w.task, stream)]
			if !slices.Equal(messages[:min(len(want), len(messages))], want) || len(messages) > len(want) != more {
				s.t.Errorf("%s, stream %d has %.200q, want %.200q and more: %t", w.task, stream, messages, want, more)
			}
		}
	}
}

func (s *simulation) poll(f follower) {
	q := f.query()
	q.Limit = 2 + s.r.IntN(15)
	if s.r.IntN(2) == 0 {
		q.Before = s.now.Add(-time.Duration(s.r.IntN(2000)) * time.Millisecond)
	}
	f.take(s.entries(q))
}

// seeds is how many logs are followed.
const seeds = 8

// Whoever polls at whatever moments gets each entry once, in order, and the
// same log as one who asks when all is over.
func TestStore_Entries_Follow(t *testing.T) {
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newSimulation(t, seed)
			followers := []follower{&gcloudFollower{}, &plainFollower{}}
			for range 500 {
				s.step()
				if s.r.IntN(4) == 0 {
					s.poll(followers[s.r.IntN(len(followers))])
				}
			}
			for _, w := range s.writers {
				if !w.ended {
					s.end(w)
				}
			}
			s.now = s.now.Add(time.Minute)
			all := s.entries(Query{Limit: 1_000_000})
			s.compare(all)
			for _, f := range followers {
				for {
					q := f.query()
					q.Limit = 2 + s.r.IntN(60)
					before := len(f.entries())
					f.take(s.entries(q))
					if n := len(f.entries()); n == before || n > len(all) {
						break
					}
				}
				if diff := cmp.Diff(all, f.entries()); diff != "" {
					t.Errorf("%T differs from the whole log (-whole +polls):\n%s", f, diff)
				}
			}
		})
	}
}
