package logs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

const project, job = "hearth", "census_1"

// start is when the tests' processes begin.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func ms(n int) time.Time { return start.Add(time.Duration(n) * time.Millisecond) }

// attempts is an attempts folder that a test fills.
type attempts struct {
	t     testing.TB
	dir   string
	store *Store
}

// newAttempts gives a folder whose store believes that it is an hour later.
func newAttempts(t testing.TB) *attempts {
	a := &attempts{t: t, dir: t.TempDir()}
	a.store = Open(a.dir)
	a.store.now = func() time.Time { return start.Add(time.Hour) }
	return a
}

// process is a process folder, written to as shim and child do.
type process struct {
	t    testing.TB
	dir  string
	mark ml.LogMark
}

func (a *attempts) process(attempt int, task string) *process {
	a.t.Helper()
	dir := filepath.Join(a.dir, fmt.Sprintf("%s.%s.%d", project, job, attempt), task)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		a.t.Fatal(err)
	}
	return &process{t: a.t, dir: dir}
}

func (p *process) append(name string, b []byte) {
	p.t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, name), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) stdout(s string) {
	p.append(ml.FileStdout, []byte(s))
	p.mark.Stdout += int64(len(s))
}

func (p *process) stderr(s string) {
	p.append(ml.FileStderr, []byte(s))
	p.mark.Stderr += int64(len(s))
}

// marked notes the sizes at a time.
func (p *process) marked(at time.Time) {
	p.mark.Time = at
	p.append(ml.FileLogIndex, p.mark.Append(nil))
}

// exit writes exit.json at a time.
func (p *process) exit(at time.Time) {
	p.t.Helper()
	p.append(ml.FileExit, []byte("{}"))
	if err := os.Chtimes(filepath.Join(p.dir, ml.FileExit), at, at); err != nil {
		p.t.Fatal(err)
	}
}

func (a *attempts) entries(q Query) []Entry {
	a.t.Helper()
	q.Project, q.Job = project, job
	entries, err := a.store.Entries(context.Background(), q)
	if err != nil {
		a.t.Fatal(err)
	}
	return entries
}

// lines gives entries in short: milliseconds, task, severity, message.
func lines(entries []Entry) []string {
	var s []string
	for _, e := range entries {
		s = append(s, fmt.Sprintf("%d %s %s %q", e.Time.Sub(start).Milliseconds(), e.Task, e.Severity, e.Message))
	}
	return s
}

func (a *attempts) want(q Query, want ...string) {
	a.t.Helper()
	if diff := cmp.Diff(want, lines(a.entries(q))); diff != "" {
		a.t.Errorf("entries (-want +got):\n%s", diff)
	}
}

const master = "master-replica-0"

func TestStore_Entries(t *testing.T) {
	t.Run("NoJob", func(t *testing.T) {
		newAttempts(t).want(Query{})
	})
	t.Run("TimesFromMarks", func(t *testing.T) {
		a := newAttempts(t)
		p := a.process(1, master)
		p.stdout("one\ntwo\nthr")
		p.stderr("INFO:root:e1\n")
		p.marked(ms(10))
		p.stdout("ee\n")
		p.marked(ms(20))
		p.stderr("oops\n")
		p.marked(ms(30))
		p.stdout("unmarked\n")
		marked := []string{
			`10 master-replica-0 INFO "one"`, `10 master-replica-0 INFO "two"`, `10 master-replica-0 INFO "INFO:root:e1"`,
			`20 master-replica-0 INFO "three"`, `30 master-replica-0 ERROR "oops"`,
		}
		a.want(Query{}, marked...)
		p.exit(ms(50))
		a.want(Query{}, append(marked, `50 master-replica-0 INFO "unmarked"`)...)
	})
	t.Run("LastLineWithoutEnd", func(t *testing.T) {
		a := newAttempts(t)
		p := a.process(1, master)
		p.stdout("a\nb")
		p.marked(ms(10))
		a.want(Query{}, `10 master-replica-0 INFO "a"`)
		p.exit(ms(40))
		// It was no line before the end, so that is its time.
		a.want(Query{}, `10 master-replica-0 INFO "a"`, `40 master-replica-0 INFO "b"`)
		a.want(Query{From: ms(11)}, `40 master-replica-0 INFO "b"`)
	})
	t.Run("ExitBeforeLastMark", func(t *testing.T) {
		a := newAttempts(t)
		p := a.process(1, master)
		p.stdout("a\n")
		p.marked(ms(10))
		p.stdout("b\n")
		p.exit(ms(5))
		a.want(Query{}, `10 master-replica-0 INFO "a"`, `10 master-replica-0 INFO "b"`)
	})
	t.Run("NoMarksAtAll", func(t *testing.T) {
		a := newAttempts(t)
		p := a.process(1, master)
		p.stderr("exec: not found\n")
		a.want(Query{})
		p.exit(ms(7))
		a.want(Query{}, `7 master-replica-0 ERROR "exec: not found"`)
	})
	t.Run("HalfAMark", func(t *testing.T) {
		a := newAttempts(t)
		p := a.process(1, master)
		p.stdout("a\n")
		p.marked(ms(10))
		p.append(ml.FileLogIndex, []byte("half"))
		a.want(Query{}, `10 master-replica-0 INFO "a"`)
	})
	t.Run("TasksAndAttempts", func(t *testing.T) {
		a := newAttempts(t)
		env, m, second := a.process(1, "environment"), a.process(1, master), a.process(3, master)
		env.stdout("Installing\n")
		env.marked(ms(5))
		m.stdout("x\n")
		m.marked(ms(15))
		second.stdout("again\n")
		second.marked(ms(25))
		a.want(Query{}, `5 environment INFO "Installing"`, `15 master-replica-0 INFO "x"`, `25 master-replica-0 INFO "again"`)
		a.want(Query{Task: "environment"}, `5 environment INFO "Installing"`)
		a.want(Query{Task: "worker-replica-0"})
		a.want(Query{From: ms(5), Before: ms(25)}, `5 environment INFO "Installing"`, `15 master-replica-0 INFO "x"`)
		a.want(Query{Limit: 1}, `5 environment INFO "Installing"`)
	})
	t.Run("YoungEntriesWait", func(t *testing.T) {
		a := newAttempts(t)
		p := a.process(1, master)
		for i := range 4 {
			p.stdout(fmt.Sprintf("%d\n", i))
			p.marked(ms(100 * i))
		}
		a.store.now = func() time.Time { return ms(300) }
		want := []string{`0 master-replica-0 INFO "0"`, `100 master-replica-0 INFO "1"`}
		a.want(Query{}, want...)
		a.want(Query{Before: ms(1000)}, want...)
	})
	t.Run("NamesThatLeadElsewhere", func(t *testing.T) {
		a := newAttempts(t)
		p := a.process(1, master)
		p.stdout("secret\n")
		p.marked(ms(1))
		for _, q := range []Query{
			{Project: "x/../hearth", Job: job}, {Project: project, Job: "x/../hearth.census_1"},
			{Project: "..", Job: job}, {Project: project, Job: job + ".1/x"}, {Project: "", Job: job},
		} {
			if got, err := a.store.Entries(context.Background(), q); len(got) > 0 || err != nil {
				t.Errorf("%+v gave %v, %v", q, got, err)
			}
		}
	})
	t.Run("NotRegularFiles", func(t *testing.T) {
		a := newAttempts(t)
		p := a.process(1, master)
		if err := os.Symlink("/etc/hostname", filepath.Join(p.dir, ml.FileStdout)); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(p.dir, ml.FileStderr), 0o700); err != nil {
			t.Fatal(err)
		}
		p.exit(ms(1))
		a.want(Query{})
	})
	t.Run("Cancelled", func(t *testing.T) {
		a := newAttempts(t)
		p := a.process(1, master)
		p.stdout("a\n")
		p.marked(ms(1))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := a.store.Entries(ctx, Query{Project: project, Job: job}); err == nil {
			t.Error("a cancelled query answered")
		}
	})
}

func TestStore_Entries_Messages(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	tests := map[string]struct {
		written string
		want    []string
	}{
		"Empty":         {"\n\n", []string{"", ""}},
		"CRLF":          {"a\r\nb\r\n", []string{"a", "b"}},
		"ProgressBar":   {"\r10%\r50%\r100%\nnext\n", []string{"100%", "next"}},
		"Shorter":       {"loading...\rok\n", []string{"okading..."}},
		"Backspaces":    {"1/3" + strings.Repeat("\b", 3) + "2/3" + strings.Repeat("\b", 9) + "3/3\n", []string{"3/3"}},
		"KerasColours":  {"\x1b[1m3/3\x1b[0m \x1b[32m━━\x1b[0m\x1b[37m\x1b[0m 1s\n", []string{"3/3 ━━ 1s"}},
		"EraseLine":     {"working\r\x1b[Kdone\n", []string{"done"}},
		"EraseAll":      {"working\x1b[2K\rdone\n", []string{"done"}},
		"Blanked":       {"100%\r    \r\n", []string{""}},
		"Title":         {"\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link\n", []string{"textlink"}},
		"InvalidUTF8":   {"a\xffb\xe2\x82\n", []string{"a\ufffdb\ufffd\ufffd"}},
		"ControlBytes":  {"a\x00b\x07c\td\n", []string{"abc\td"}},
		"JustFits":      {long + "\nb\n", []string{long, "b"}},
		"OneTooMany":    {long + "y\nb\n", []string{long, "y", "b"}},
		"CutCharacters": {long + "ü€\n", []string{long, "ü€"}},
		"ThreePieces":   {long + long + "z\n", []string{long, long, "z"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			p := a.process(1, master)
			p.stdout(test.written)
			p.marked(ms(1))
			var got []string
			for _, e := range a.entries(Query{}) {
				got = append(got, e.Message)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// A piece of a long line is timed by when it was known to be one.
func TestStore_Entries_PieceTimes(t *testing.T) {
	a := newAttempts(t)
	p := a.process(1, master)
	p.stdout(strings.Repeat("x", maxLine))
	p.marked(ms(1))
	a.want(Query{})
	p.stdout("\xe2\x82")
	p.marked(ms(2))
	a.want(Query{})
	p.stdout("\xac")
	p.marked(ms(3))
	p.stdout("\n")
	p.marked(ms(4))
	var got []string
	for _, e := range a.entries(Query{}) {
		got = append(got, fmt.Sprint(e.Time.Sub(start).Milliseconds(), len(e.Message)))
	}
	if diff := cmp.Diff([]string{"3 65536", "4 3"}, got); diff != "" {
		t.Errorf("pieces (-want +got):\n%s", diff)
	}
}

// The size of an answer is bounded in bytes, and nothing is lost by it.
func TestStore_Entries_LargeAnswer(t *testing.T) {
	const lines = 300
	a := newAttempts(t)
	p := a.process(1, master)
	line := strings.Repeat("x", maxLine) + "\n"
	p.stdout(strings.Repeat(line, lines))
	p.marked(ms(1))
	total, answers := 0, 0
	for q := (Query{}); total <= lines; answers++ {
		entries := a.entries(q)
		if len(entries) == 0 {
			break
		}
		size := 0
		for _, e := range entries {
			size += len(e.Message)
		}
		if size > maxBytes+maxLine {
			t.Errorf("an answer of %d bytes", size)
		}
		total += len(entries)
		q.From, q.AfterID = entries[len(entries)-1].Time, entries[len(entries)-1].InsertID
	}
	if total != lines || answers < 2 {
		t.Errorf("%d entries in %d answers", total, answers)
	}
}

// countingSource counts the bytes that are read.
type countingSource struct {
	source
	n *atomic.Int64
}

func (c countingSource) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.source.ReadAt(b, off)
	c.n.Add(int64(n))
	return n, err
}

// A million lines, ten to a mark: a late question reads only the end, and one
// answer only its part, also where very many entries have the same time.
func TestStore_Entries_ReadsLittle(t *testing.T) {
	const marks, each = 100_000, 10
	a := newAttempts(t)
	p := a.process(1, master)
	var text strings.Builder
	var index []byte
	for i := range marks {
		text.WriteString(strings.Repeat(fmt.Sprintf("%08d step done\n", i), each))
		index = ml.LogMark{Time: ms(i), Stdout: int64(text.Len())}.Append(index)
	}
	p.stdout(text.String())
	p.append(ml.FileLogIndex, index)
	burst := a.process(1, "worker-replica-0")
	burst.stdout(text.String())
	burst.stderr("the last of all\n")
	burst.marked(ms(marks))
	var read atomic.Int64
	open := a.store.open
	a.store.open = func(path string) (source, error) {
		s, err := open(path)
		return countingSource{s, &read}, err
	}
	all := int64(text.Len())
	check := func(what string, q Query, want int) []Entry {
		t.Helper()
		read.Store(0)
		got := a.entries(q)
		if len(got) != want {
			t.Errorf("%s: %d entries, want %d", what, len(got), want)
		}
		if n := read.Load(); n > all/20 {
			t.Errorf("%s: read %d bytes of %d", what, n, all)
		}
		return got
	}
	late := check("late", Query{Task: master, From: ms(marks - 3)}, 3*each)
	if late[0].Message != fmt.Sprintf("%08d step done", marks-3) {
		t.Errorf("first entry is %q", late[0].Message)
	}
	check("nothing new", Query{Task: master, From: ms(marks)}, 0)
	check("first page", Query{Task: master}, 1000)
	page := check("burst", Query{From: ms(marks)}, 1000)
	for range 3 {
		last := page[len(page)-1]
		page = check("next page of the burst", Query{From: last.Time, AfterID: last.InsertID}, 1000)
	}
	far := insertID(idPrefix(1, "worker-replica-0", streamStdout), all/2)
	check("far into the burst", Query{From: ms(marks), AfterID: far}, 1000)
	end := insertID(idPrefix(1, "worker-replica-0", streamStderr), 0)
	check("behind the burst", Query{Task: "worker-replica-0", From: ms(marks), AfterID: end}, 0)
	// An offset that the time does not reach must not skip what comes after it.
	check("wrong id", Query{Task: master, From: ms(marks - 5), AfterID: insertID(idPrefix(1, master, streamStdout), all-40)}, 4*each)
	p.exit(ms(marks))
	check("wrong id after the end", Query{Task: master, From: ms(marks - 5), AfterID: insertID(idPrefix(1, master, streamStdout), all-40)}, 4*each)
}

func TestStore_Service(t *testing.T) {
	a := newAttempts(t)
	now := ms(0)
	a.store.now = func() time.Time { return now }
	log := a.store.Service("hearth.census_1.1")
	write := func(at int, err func(string, ...any) error, format string, args ...any) {
		now = ms(at)
		if err := err(format, args...); err != nil {
			t.Fatal(err)
		}
	}
	write(10, log.Info, "Job %s is queued.", job)
	write(20, log.Warn, "two\nlines")
	write(15, log.Error, "the clock was set back")
	now = start.Add(time.Hour)
	p := a.process(1, master)
	p.stdout("hello\n")
	p.marked(ms(12))
	want := []string{
		`10 service INFO "Job census_1 is queued."`, `12 master-replica-0 INFO "hello"`,
		`20 service WARNING "two\nlines"`, `20 service ERROR "the clock was set back"`,
	}
	a.want(Query{}, want...)
	a.want(Query{Task: "service", From: ms(11)}, want[2:]...)
	path := filepath.Join(a.dir, "hearth.census_1.1", serviceFile)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"time":"20`); err != nil {
		t.Fatal(err)
	}
	a.want(Query{}, want...)
	if _, err := f.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	a.want(Query{}, append(want, `20 service ERROR "{\"time\":\"20"`)...)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
}

func TestServiceLog_ManyWriters(t *testing.T) {
	a := newAttempts(t)
	a.store.now = time.Now
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			log := a.store.Service("hearth.census_1.1")
			for i := range each {
				if err := log.Info("%d %d %s", w, i, strings.Repeat("x", 5000)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	a.store.now = func() time.Time { return time.Now().Add(time.Hour) }
	seen := map[string]bool{}
	for _, e := range a.entries(Query{}) {
		if e.Severity != SeverityInfo || len(e.Message) < 5000 {
			t.Fatalf("entry %+v", e)
		}
		seen[e.Message] = true
	}
	if len(seen) != writers*each {
		t.Errorf("%d entries, want %d", len(seen), writers*each)
	}
}

func TestServiceLog_Error(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Open(dir).Service("a").Info("x"); err == nil {
		t.Error("writing below a file succeeded")
	}
}

func TestStore_Tail(t *testing.T) {
	traceback := "Traceback (most recent call last):\n  File \"task.py\", line 1\nValueError: no\n"
	tests := map[string]struct {
		stderr string
		lines  int
		want   string
	}{
		"Nothing":       {"", 5, ""},
		"Traceback":     {"Epoch 1\n" + traceback, 3, strings.TrimSuffix(traceback, "\n")},
		"FewerLines":    {"a\nb\n", 5, "a\nb"},
		"NoLineEnd":     {"a\nb\nc", 2, "b\nc"},
		"EmptyLastLine": {"a\n\n", 1, ""},
		"ProgressBar":   {"a\n\r1%\r2%", 1, "2%"},
		"LongFile":      {strings.Repeat("line\n", 1_000_000) + "x\ny\n", 2, "x\ny"},
		"LongLine":      {strings.Repeat("x", 3*maxTail) + "\nend\n", 1, "end"},
		"ManyBlocks":    {strings.Repeat(strings.Repeat("x", 999)+"\n", 20), 10, strings.TrimSuffix(strings.Repeat(strings.Repeat("x", 999)+"\n", 10), "\n")},
		"Invalid":       {"\xff\n", 1, "\ufffd"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			a.process(1, master).stderr(test.stderr)
			var read atomic.Int64
			open := a.store.open
			a.store.open = func(path string) (source, error) {
				s, err := open(path)
				return countingSource{s, &read}, err
			}
			got, err := a.store.Tail("hearth.census_1.1/"+master, test.lines)
			if err != nil || got != test.want {
				t.Errorf("tail is %q, %v, want %q", got, err, test.want)
			}
			if n := read.Load(); n > 3*maxTail {
				t.Errorf("read %d bytes", n)
			}
		})
	}
	t.Run("NoProcess", func(t *testing.T) {
		if got, err := newAttempts(t).store.Tail("none/x", 3); got != "" || err != nil {
			t.Errorf("tail is %q, %v", got, err)
		}
	})
	t.Run("LongLineIsBounded", func(t *testing.T) {
		a := newAttempts(t)
		a.process(1, master).stderr(strings.Repeat("x", 3*maxTail))
		got, err := a.store.Tail("hearth.census_1.1/"+master, 5)
		if err != nil || len(got) > maxTail+4 {
			t.Errorf("tail has %d bytes, %v", len(got), err)
		}
	})
}

func TestStore_Entries_Structured(t *testing.T) {
	a := newAttempts(t)
	p := a.process(1, master)
	p.stdout(`{"severity":"WARNING","message":"low","step":3}` + "\n" + `{"levelname":"error","msg":"bad"}` + "\n" + `{"message":"plain"}` + "\n" + `{"loss":0.5}` + "\n" + `{"message":` + "\n")
	p.stderr(`{"level":"info","message":"quiet"}` + "\n" + `{"message":"loud"}` + "\n")
	p.marked(ms(1))
	a.want(Query{},
		`1 master-replica-0 WARNING "low"`, `1 master-replica-0 ERROR "bad"`, `1 master-replica-0 INFO "plain"`,
		`1 master-replica-0 INFO "{\"loss\":0.5}"`, `1 master-replica-0 INFO "{\"message\":"`,
		`1 master-replica-0 INFO "quiet"`, `1 master-replica-0 ERROR "loud"`)
	entries := a.entries(Query{})
	if got := string(entries[0].Payload); got != `{"severity":"WARNING","message":"low","step":3}` {
		t.Errorf("payload %s", got)
	}
	if got := string(entries[1].Payload); got != `{"levelname":"error","message":"bad","msg":"bad"}` {
		t.Errorf("payload %s", got)
	}
	if entries[3].Payload != nil {
		t.Errorf("payload %s", entries[3].Payload)
	}
}

func TestStore_Entries_Dropped(t *testing.T) {
	a := newAttempts(t)
	p := a.process(1, master)
	p.stdout("one\n")
	p.marked(ms(1))
	p.stdout("two\n")
	p.marked(ms(2))
	p.stdout("three\nfour\n")
	p.marked(ms(3))
	// "one", "two" and the first letter of "three" are gone.
	p.append(ml.FileLogDrop, []byte(`{"stdout":9,"stderr":0}`))
	want := []string{
		`3 master-replica-0 WARNING "[The first 9 bytes of this log are gone: it grew beyond its limit.]"`,
		`3 master-replica-0 INFO "hree"`, `3 master-replica-0 INFO "four"`,
	}
	a.want(Query{}, want...)
	t.Run("one by one", func(t *testing.T) {
		var got []string
		q := Query{Limit: 1}
		for {
			entries := a.entries(q)
			if len(entries) == 0 {
				break
			}
			got = append(got, lines(entries)...)
			q.From, q.AfterID = entries[0].Time, entries[0].InsertID
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("from the middle of what is gone", func(t *testing.T) { a.want(Query{From: ms(2)}, want...) })
}
