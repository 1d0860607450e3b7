package lineage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
)

const job = "hearth.census_1"

func open(t testing.TB, dir string) *Recorder {
	t.Helper()
	r, err := Open(dir, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(name string, bytes int64) Access {
	return Access{Job: job, Bucket: "data", Name: name, Generation: 7, Bytes: bytes}
}

func wrote(name string, bytes int64) Access {
	a := read(name, bytes)
	a.Write = true
	return a
}

// text shows a list as NAME:BYTES.
func text(list []ml.LineageObject) string {
	var s []string
	for _, o := range list {
		s = append(s, fmt.Sprintf("%s:%d", o.Name, o.Bytes))
	}
	return strings.Join(s, " ")
}

func (r *Recorder) expect(t *testing.T, reads, writes string) {
	t.Helper()
	got, err := r.Read(job)
	if err != nil {
		t.Fatal(err)
	}
	if text(got.Reads) != reads || text(got.Writes) != writes {
		t.Errorf("reads %q, writes %q; want %q and %q", text(got.Reads), text(got.Writes), reads, writes)
	}
}

func TestRecorder_Sums(t *testing.T) {
	r := open(t, t.TempDir())
	r.expect(t, "", "")
	r.Observe(read("b", 10))
	r.Observe(read("a", 1))
	r.Observe(wrote("a", 5))
	r.Observe(read("b", 20))
	r.Observe(Access{Job: "hearth.other", Bucket: "data", Name: "c", Generation: 1, Bytes: 9})
	r.expect(t, "a:1 b:30", "a:5")
	r.Observe(read("b", 3))
	next := read("b", 4)
	next.Generation = 6
	r.Observe(next)
	r.expect(t, "a:1 b:4 b:33", "a:5")
}

func TestRecorder_TimeIsThatOfTheLastAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, t.TempDir())
		r.Observe(read("a", 1))
		time.Sleep(time.Hour)
		r.Observe(read("a", 1))
		want := time.Now()
		time.Sleep(time.Hour)
		got, err := r.Read(job)
		if err != nil || len(got.Reads) != 1 || !got.Reads[0].Time.Equal(want) {
			t.Errorf("got %+v, %v; want the time %s", got, err, want)
		}
	})
}

// A recorder that is dropped without a word is a daemon that was killed.
func TestRecorder_KillLosesNoObject(t *testing.T) {
	dir := t.TempDir()
	killed := open(t, dir)
	killed.Observe(read("a", 1))
	killed.Observe(read("a", 100))
	killed.Observe(wrote("b", 2))
	r := open(t, dir)
	r.expect(t, "a:1", "b:2")
	r.Observe(read("a", 10))
	r.expect(t, "a:11", "b:2")
}

func TestRecorder_RunWritesEverySecondAndAtItsEnd(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := open(t, dir)
		ctx, cancel := context.WithCancel(t.Context())
		go r.Run(ctx)
		r.Observe(read("a", 1))
		r.Observe(read("a", 10))
		time.Sleep(flushEvery + time.Millisecond)
		synctest.Wait()
		open(t, dir).expect(t, "a:11", "")
		r.Observe(read("a", 100))
		cancel()
		synctest.Wait()
		open(t, dir).expect(t, "a:111", "")
	})
}

func TestRecorder_TornLine(t *testing.T) {
	dir := t.TempDir()
	open(t, dir).Observe(read("a", 1))
	path := filepath.Join(dir, job+".jsonl")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, b[:len(b)-2]...), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	r.expect(t, "a:1", "")
	r.Observe(read("b", 2))
	r.expect(t, "a:1 b:2", "")
}

// What cannot be written is written later, and counts once.
func TestRecorder_WriteFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lineage")
	r := open(t, dir)
	r.Observe(read("a", 1))
	away := dir + ".away"
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	r.Observe(read("a", 10))
	r.Observe(wrote("b", 2))
	r.Flush()
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	r.expect(t, "a:11", "b:2")
}

func TestRecorder_MemoryIsBounded(t *testing.T) {
	r := open(t, t.TempDir())
	r.limit = 100
	const objects = 1000
	for range 2 {
		for i := range objects {
			r.Observe(read(fmt.Sprintf("o%d", i), 1))
			r.Observe(read("hot", 1))
		}
	}
	if n := len(r.young) + len(r.old); n > 2*r.limit {
		t.Errorf("%d entries are kept, want at most %d", n, 2*r.limit)
	}
	got, err := r.Read(job)
	if err != nil || len(got.Reads) != objects+1 {
		t.Fatalf("%d objects, %v", len(got.Reads), err)
	}
	for _, o := range got.Reads {
		if want := map[bool]ml.Int64{true: 2 * objects, false: 2}[o.Name == "hot"]; o.Bytes != want {
			t.Errorf("%s: %d bytes, want %d", o.Name, o.Bytes, want)
		}
	}
}

func TestRecorder_LongFileIsRewritten(t *testing.T) {
	r := open(t, t.TempDir())
	r.limit, r.long = 10, 10_000
	for range 50 {
		for i := range 30 {
			r.Observe(read(fmt.Sprintf("o%02d", i), 1))
		}
	}
	info, err := os.Stat(r.path(job))
	if err != nil || info.Size() > 2*r.long {
		t.Errorf("the file has %d bytes, %v; want about one line for each of 30 objects", info.Size(), err)
	}
	got, err := r.Read(job)
	if err != nil || len(got.Reads) != 30 || got.Reads[0].Bytes != 50 || got.Reads[29].Bytes != 50 {
		t.Errorf("got %s, %v", text(got.Reads), err)
	}
}

func TestRecorder_ManyAtOnce(t *testing.T) {
	r := open(t, t.TempDir())
	r.limit, r.long = 8, 5_000
	ctx, cancel := context.WithCancel(t.Context())
	var run, users sync.WaitGroup
	run.Go(func() { r.Run(ctx) })
	for range 8 {
		users.Go(func() {
			for i := range 500 {
				r.Observe(read(fmt.Sprintf("o%d", i%20), 1))
				if i%100 == 0 {
					r.Flush()
				}
			}
		})
	}
	users.Wait()
	cancel()
	run.Wait()
	got, err := r.Read(job)
	if err != nil {
		t.Fatal(err)
	}
	var total ml.Int64
	for _, o := range got.Reads {
		total += o.Bytes
	}
	if len(got.Reads) != 20 || total != 8*500 {
		t.Errorf("%d objects with %d bytes, want 20 with %d", len(got.Reads), total, 8*500)
	}
}

func BenchmarkRecorder_Observe(b *testing.B) {
	b.Run("known", func(b *testing.B) {
		r := open(b, b.TempDir())
		for b.Loop() {
			r.Observe(read("a", 1))
		}
	})
	b.Run("first", func(b *testing.B) {
		r := open(b, b.TempDir())
		for i := 0; b.Loop(); i++ {
			r.Observe(read(fmt.Sprint(i), 1))
		}
	})
}
