package object

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

// modelNames get in each other's way as much as names can.
var modelNames = []string{
	"a", "a/b", "a/b/c", "a/b/c/d", "a/", "a/b/", "a/b/c/", "a//", "b", "b/x", "b/y", "b/x/y", "c/d/e/f", "c/d", "c", "c/d/e",
	"c/d/g", "e", "e/f", "..a", "x/../y", "x", "x/y", ".escaped", ".escaped/a", ".escaped/a%2Fb",
}

// model is what one goroutine believes of the names that are its own.
type model struct {
	t       *testing.T
	l       *Local
	rnd     *rand.Rand
	names   []string
	objects map[string]string
	// generations has the newest generation seen of a name.
	generations map[string]int64
}

// TestLocal_Model does random changes from several goroutines and holds each
// answer against a map in memory.
func TestLocal_Model(t *testing.T) {
	const workers, operations = 8, 2000
	dir := t.TempDir()
	l := openLocal(t, dir, LocalOptions{})
	newBucket(t, l)
	models := make([]*model, workers)
	var wg sync.WaitGroup
	for i := range models {
		m := &model{t: t, l: l, rnd: rand.New(rand.NewPCG(7, uint64(i))), objects: map[string]string{}, generations: map[string]int64{}}
		for j, n := range modelNames {
			if j%workers == i {
				m.names = append(m.names, n)
			}
		}
		models[i] = m
		wg.Go(func() {
			for range operations / workers {
				m.step()
			}
		})
	}
	wg.Wait()
	var want []string
	for _, m := range models {
		for n := range m.objects {
			want = append(want, n)
		}
	}
	slices.Sort(want)
	for range 2 {
		res, err := l.List(t.Context(), "data", ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, names(res)); d != "" {
			t.Fatal(d)
		}
		checkFiles(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = openLocal(t, dir, LocalOptions{})
	}
}

func (m *model) name() string { return m.names[m.rnd.IntN(len(m.names))] }

func (m *model) step() {
	n, ctx := m.name(), m.t.Context()
	content := strings.Repeat(fmt.Sprint(m.rnd.IntN(1000)), m.rnd.IntN(500))
	switch m.rnd.IntN(11) {
	case 0, 1, 2:
		o, err := m.l.Put(ctx, PutRequest{Bucket: "data", Name: n}, strings.NewReader(content))
		m.wrote(n, content, o, err)
	case 3:
		from := m.name()
		o, err := m.l.Copy(ctx, CopyRequest{FromBucket: "data", From: from, Bucket: "data", Name: n})
		if was, ok := m.objects[from]; ok {
			m.wrote(n, was, o, err)
		} else {
			m.kind("copy of nothing", err, ml.NotFound)
		}
	case 4:
		id, err := m.l.BeginUpload(ctx, PutRequest{Bucket: "data", Name: n})
		m.kind("begin", err, ml.OK)
		half := len(content) / 2
		_, err = m.l.AppendUpload(ctx, id, Chunk{Length: int64(half), Total: -1, Body: strings.NewReader(content[:half])})
		m.kind("append", err, ml.OK)
		u, err := m.l.AppendUpload(ctx, id, Chunk{Offset: int64(half), Length: -1, Total: -1, Last: true, Body: strings.NewReader(content[half:])})
		m.kind("append", err, ml.OK)
		m.wrote(n, content, u.Object, err)
	case 5, 6:
		err := m.l.Delete(ctx, "data", n, Conditions{})
		if _, ok := m.objects[n]; ok {
			m.kind("delete", err, ml.OK)
			delete(m.objects, n)
		} else {
			m.kind("delete of nothing", err, ml.NotFound)
		}
	case 7:
		from := m.name()
		o, err := m.l.Move(ctx, MoveRequest{Bucket: "data", From: from, To: n})
		was, ok := m.objects[from]
		switch {
		case from == n:
			m.kind("move onto itself", err, ml.InvalidArgument)
		case ok:
			m.wrote(n, was, o, err)
			delete(m.objects, from)
		default:
			m.kind("move of nothing", err, ml.NotFound)
		}
	case 8:
		_, err := m.l.Put(ctx, PutRequest{Bucket: "data", Name: n, If: Conditions{GenerationMatch: ptr(int64(1))}}, strings.NewReader("never"))
		m.kind("put on a wrong generation", err, ml.FailedPrecondition)
	default:
		m.read(n)
	}
}

func (m *model) wrote(name, content string, o *Object, err error) {
	if err != nil {
		m.t.Errorf("write %q: %v", name, err)
		return
	}
	if err := o.check(content); err != nil || o.Generation <= m.generations[name] {
		m.t.Errorf("%v; generation %d after %d", err, o.Generation, m.generations[name])
	}
	m.objects[name], m.generations[name] = content, o.Generation
}

func (m *model) read(name string) {
	r, err := m.l.Open(m.t.Context(), "data", name)
	want, ok := m.objects[name]
	if !ok {
		m.kind("read of nothing", err, ml.NotFound)
		return
	}
	if err != nil {
		m.t.Errorf("read %q: %v", name, err)
		return
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || string(b) != want || r.Object().Generation != m.generations[name] {
		m.t.Errorf("%q: %d bytes of generation %d, %v; want %d of %d", name, len(b), r.Object().Generation, err, len(want), m.generations[name])
	}
}

func (m *model) kind(what string, err error, want ml.Kind) {
	if ml.KindOf(err) != want {
		m.t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// TestLocal_ReadersSeeOneGeneration reads an object while others overwrite it:
// record and content must belong together.
func TestLocal_ReadersSeeOneGeneration(t *testing.T) {
	l := openLocal(t, t.TempDir(), LocalOptions{})
	newBucket(t, l)
	put(t, l, "x", "0000")
	const rounds = 60
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range 2 {
		writers.Go(func() {
			for i := range rounds {
				if _, err := l.Put(t.Context(), PutRequest{Bucket: "data", Name: "x"}, strings.NewReader(fmt.Sprintf("%d%03d", w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				r, err := l.Open(t.Context(), "data", "x")
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(r)
				r.Close()
				if err == nil {
					err = r.Object().check(string(b))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}
