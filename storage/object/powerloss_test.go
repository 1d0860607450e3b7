//go:build linux && amd64

package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"hearth/ml"
)

// step is one change of a store, and what it means.
type step struct {
	run func(ctx context.Context, l *Local, w *workload) (generation int64, err error)
	// effects happen all or not at all.
	effects []effect
}

// effect says what an object holds afterwards, or that it or its bucket is gone.
type effect struct {
	bucket, name string // without a name it is the bucket itself
	gone         bool
	content      string
	// piece is an upload's name, of which this much has arrived.
	upload string
}

// workload is steps in phases: those of one phase run at the same time, and
// change different names.
type workload struct {
	phases  [][]step
	uploads sync.Map // ids by name
}

func (w *workload) do(steps ...step) { w.phases = append(w.phases, steps) }

func putStep(name, content string) step {
	return step{func(ctx context.Context, l *Local, _ *workload) (int64, error) {
		o, err := l.Put(ctx, PutRequest{Bucket: "data", Name: name}, strings.NewReader(content))
		return generationOf(o, err)
	}, []effect{{bucket: "data", name: name, content: content}}}
}

func generationOf(o *Object, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return o.Generation, nil
}

func deleteStep(name string) step {
	return step{func(ctx context.Context, l *Local, _ *workload) (int64, error) {
		return 0, l.Delete(ctx, "data", name, Conditions{})
	}, []effect{{bucket: "data", name: name, gone: true}}}
}

func copyStep(from, to, content string) step {
	return step{func(ctx context.Context, l *Local, _ *workload) (int64, error) {
		return generationOf(l.Copy(ctx, CopyRequest{FromBucket: "data", From: from, Bucket: "data", Name: to}))
	}, []effect{{bucket: "data", name: to, content: content}}}
}

func moveStep(from, to, content string) step {
	return step{func(ctx context.Context, l *Local, _ *workload) (int64, error) {
		return generationOf(l.Move(ctx, MoveRequest{Bucket: "data", From: from, To: to}))
	}, []effect{{bucket: "data", name: to, content: content}, {bucket: "data", name: from, gone: true}}}
}

func composeStep(to, content string, from ...string) step {
	return step{func(ctx context.Context, l *Local, _ *workload) (int64, error) {
		c := ComposeRequest{Bucket: "data", Name: to}
		for _, n := range from {
			c.Sources = append(c.Sources, ComposeSource{Name: n})
		}
		return generationOf(l.Compose(ctx, c))
	}, []effect{{bucket: "data", name: to, content: content}}}
}

func bucketStep(name string, gone bool) step {
	return step{func(ctx context.Context, l *Local, _ *workload) (int64, error) {
		if gone {
			return 0, l.DeleteBucket(ctx, name, Conditions{})
		}
		_, err := l.CreateBucket(ctx, Bucket{Name: name})
		return 0, err
	}, []effect{{bucket: name, gone: gone}}}
}

// pieceStep sends a piece of an upload; the last one makes the object.
func pieceStep(name, before, piece string, last bool) step {
	e := effect{bucket: "data", name: name, content: before + piece}
	if !last {
		e = effect{upload: name, content: before + piece}
	}
	return step{func(ctx context.Context, l *Local, w *workload) (int64, error) {
		if before == "" {
			id, err := l.BeginUpload(ctx, PutRequest{Bucket: "data", Name: name})
			if err != nil {
				return 0, err
			}
			w.uploads.Store(name, id)
			mark(w.null(), "UPLOAD "+name+" "+id)
		}
		id, _ := w.uploads.Load(name)
		c := Chunk{Offset: int64(len(before)), Length: int64(len(piece)), Total: -1, Last: last, Body: strings.NewReader(piece)}
		u, err := l.AppendUpload(ctx, id.(string), c)
		if err != nil || u.Object == nil {
			return 0, err
		}
		return u.Object.Generation, nil
	}, []effect{e}}
}

var devNull = sync.OnceValue(func() *os.File {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	return f
})

func (*workload) null() *os.File { return devNull() }

// shortWorkload does each kind of change once or twice.
func shortWorkload() *workload {
	w := &workload{}
	big := strings.Repeat("0123456789abcdef", 200)
	w.do(bucketStep("data", false))
	w.do(putStep("a", "first"))
	w.do(putStep("a", "second, longer"))
	w.do(putStep("a/b/c", "escaped")) // a is in the way
	w.do(putStep("deep/er/x", big))
	w.do(putStep("deep/er/x", strings.Repeat("x", len(big))))
	w.do(copyStep("deep/er/x", "copies/x", strings.Repeat("x", len(big))))
	w.do(deleteStep("deep/er/x"))
	w.do(putStep("deep/er/y", "the folders again"))
	w.do(moveStep("a", "moved/to", "second, longer"))
	w.do(moveStep("moved/to", "copies/x", "second, longer"))
	w.do(composeStep("whole", "the folders againescaped", "deep/er/y", "a/b/c"))
	w.do(pieceStep("up/load", "", big, false))
	w.do(pieceStep("up/load", big, "more", false))
	w.do(pieceStep("up/load", big+"more", "end", true))
	w.do(pieceStep("unfinished", "", "piece", false))
	w.do(putStep("p/1", "1"), putStep("p/2", "2"), putStep("p/q/3", "3"), deleteStep("deep/er/y"))
	w.do(deleteStep("p/1"), deleteStep("p/2"), deleteStep("p/q/3"), putStep("p/q/4", "4"), putStep("p/5", "5"))
	w.do(bucketStep("other", false))
	w.do(bucketStep("other", true))
	return w
}

// longWorkload does many changes at random, several at a time.
func longWorkload(phases int) *workload {
	rnd := rand.New(rand.NewPCG(3, 4))
	w := shortWorkload()
	names := []string{"l/1", "l/2", "l/m/3", "l/m/4", "l/m/n/5", "l", "l/m", "6", "6/7", "8//"}
	holds := map[string]string{}
	for i := range phases {
		var steps []step
		free := slices.Clone(names)
		rnd.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
		for range 1 + rnd.IntN(4) {
			a, b := free[0], free[1]
			free = free[2:]
			content := strings.Repeat(fmt.Sprint(i, a), 1+rnd.IntN(300))
			was, there := holds[a]
			switch kind := rnd.IntN(5); {
			case !there || kind < 2:
				steps = append(steps, putStep(a, content))
				holds[a] = content
			case kind == 2:
				steps = append(steps, deleteStep(a))
				delete(holds, a)
			case kind == 3:
				steps = append(steps, copyStep(a, b, was))
				holds[b] = was
			default:
				steps = append(steps, moveStep(a, b, was))
				delete(holds, a)
				holds[b] = was
			}
		}
		w.do(steps...)
	}
	return w
}

// each calls f with every step and its number, which is the same in the program
// traced and in the one that looks at the trace.
func (w *workload) each(f func(phase int, number int, s step)) {
	n := 0
	for i, phase := range w.phases {
		for _, s := range phase {
			f(i, n, s)
			n++
		}
	}
}

// run does the work on a store in dir, and marks what begins and is answered.
func (w *workload) run(t *testing.T, dir string) {
	l := openLocal(t, dir, LocalOptions{})
	mark(w.null(), "OPEN")
	phases := make([][]func(), len(w.phases))
	w.each(func(phase, number int, s step) {
		phases[phase] = append(phases[phase], func() {
			mark(w.null(), fmt.Sprint("BEGIN ", number))
			generation, err := s.run(t.Context(), l, w)
			if err != nil {
				t.Errorf("step %d: %v", number, err)
			}
			mark(w.null(), fmt.Sprint("ACK ", number, " ", generation))
		})
	})
	for _, steps := range phases {
		var wg sync.WaitGroup
		for _, f := range steps {
			wg.Go(f)
		}
		wg.Wait()
	}
}

// truth is what a store must hold at a cut.
type truth struct {
	opened bool
	// objects and buckets are what was answered, by bucket/name.
	objects map[string]answered
	buckets map[string]bool
	// uploads has what arrived of those not finished, by name.
	uploads map[string]string
	ids     map[string]string
	begun   map[int]bool
}

type answered struct {
	content    string
	generation int64
}

func newTruth() *truth {
	return &truth{objects: map[string]answered{}, buckets: map[string]bool{}, uploads: map[string]string{}, ids: map[string]string{}, begun: map[int]bool{}}
}

// hear follows a mark.
func (tr *truth) hear(text string, steps []step) {
	f := strings.Fields(text)
	switch f[0] {
	case "OPEN":
		tr.opened = true
	case "UPLOAD":
		tr.ids[f[1]] = f[2]
	case "BEGIN":
		n, _ := strconv.Atoi(f[1])
		tr.begun[n] = true
	case "ACK":
		n, _ := strconv.Atoi(f[1])
		generation, _ := strconv.ParseInt(f[2], 10, 64)
		delete(tr.begun, n)
		for _, e := range steps[n].effects {
			tr.apply(e, generation)
		}
	}
}

func (tr *truth) apply(e effect, generation int64) {
	key := e.bucket + "/" + e.name
	switch {
	case e.upload != "":
		tr.uploads[e.upload] = e.content
	case e.name == "" && e.gone:
		delete(tr.buckets, e.bucket)
	case e.name == "":
		tr.buckets[e.bucket] = true
	case e.gone:
		delete(tr.objects, key)
	default:
		tr.objects[key] = answered{e.content, generation}
		delete(tr.uploads, e.name)
	}
}

// verdict collects what is wrong.
type verdict struct{ errs []string }

func (*verdict) Helper()                          {}
func (v *verdict) Errorf(format string, a ...any) { v.errs = append(v.errs, fmt.Sprintf(format, a...)) }
func (v *verdict) Fatal(a ...any)                 { v.errs = append(v.errs, fmt.Sprint(a...)) }

// check opens the store in dir and compares.
func (tr *truth) check(ctx context.Context, dir string, steps []step) (errs []string) {
	v := &verdict{}
	l, err := OpenLocal(dir, LocalOptions{Log: zerolog.Nop()})
	if err != nil {
		return []string{err.Error()}
	}
	defer func() {
		if err := l.Close(); err != nil {
			errs = append(errs, err.Error())
		}
	}()
	open := map[string]bool{} // what a step that was not answered may have changed
	for n := range tr.begun {
		tr.checkBegun(ctx, l, v, steps[n].effects, open)
	}
	for key, want := range tr.objects {
		if !open[key] {
			wantObject(ctx, l, v, key, &want)
		}
	}
	for name, content := range tr.uploads {
		if !open["upload/"+name] && !open["data/"+name] {
			tr.checkUpload(ctx, l, v, name, content)
		}
	}
	tr.checkListing(ctx, l, v, open)
	if got, err := l.Reindex(ctx, nil); err != nil || got.Added+got.Changed+got.Removed > 0 {
		v.Errorf("files and index differ: %+v, %v", got, err)
	}
	checkFiles(v, l)
	checkWorks(ctx, l, v)
	return v.errs
}

// checkBegun looks at a step that was not answered: all of it or nothing.
func (tr *truth) checkBegun(ctx context.Context, l *Local, v *verdict, effects []effect, open map[string]bool) {
	before, after := &verdict{}, &verdict{}
	for _, e := range effects {
		key := e.bucket + "/" + e.name
		switch {
		case e.upload != "":
			open["upload/"+e.upload] = true
			continue
		case e.name == "":
			open[key] = true
			continue
		}
		open[key] = true
		var old *answered
		if a, ok := tr.objects[key]; ok {
			old = &a
		}
		wantObject(ctx, l, before, key, old)
		if e.gone {
			wantObject(ctx, l, after, key, nil)
		} else {
			wantObject(ctx, l, after, key, &answered{content: e.content})
		}
	}
	if len(before.errs) > 0 && len(after.errs) > 0 {
		v.Errorf("a step that was not answered happened in part: not before (%v) and not after (%v)", before.errs, after.errs)
	}
}

// wantObject compares an object; nil wants none.
func wantObject(ctx context.Context, l *Local, v *verdict, key string, want *answered) {
	bucket, name, _ := strings.Cut(key, "/")
	r, err := l.Open(ctx, bucket, name)
	switch {
	case want == nil:
		if ml.KindOf(err) != ml.NotFound {
			v.Errorf("%s is there: %v", key, err)
		}
		if err == nil {
			r.Close()
		}
		return
	case err != nil:
		v.Errorf("%s: %v", key, err)
		return
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	o := r.Object()
	if err = errors.Join(err, o.check(string(b))); err != nil || string(b) != want.content || want.generation != 0 && o.Generation != want.generation {
		v.Errorf("%s holds %.20q (%d bytes) of generation %d, want %.20q (%d bytes) of %d: %v", key, b, len(b), o.Generation, want.content, len(want.content), want.generation, err)
	}
}

// checkUpload goes on with an upload.
func (tr *truth) checkUpload(ctx context.Context, l *Local, v *verdict, name, content string) {
	u, err := l.Upload(ctx, tr.ids[name])
	if err != nil || u.Size != int64(len(content)) {
		v.Errorf("the upload of %s: %+v, %v, want %d bytes", name, u, err, len(content))
		return
	}
	u, err = l.AppendUpload(ctx, tr.ids[name], Chunk{Offset: u.Size, Length: 4, Total: u.Size + 4, Body: strings.NewReader("rest")})
	if err != nil || u.Object == nil || u.Object.check(content+"rest") != nil {
		v.Errorf("the end of the upload of %s: %+v, %v", name, u, err)
		return
	}
	if err := l.Delete(ctx, "data", name, Conditions{}); err != nil {
		v.Errorf("%v", err)
	}
}

// checkListing compares the names of buckets and objects.
func (tr *truth) checkListing(ctx context.Context, l *Local, v *verdict, open map[string]bool) {
	buckets, err := l.Buckets(ctx)
	if err != nil {
		v.Errorf("%v", err)
	}
	there := map[string]bool{}
	for _, b := range buckets {
		there[b.Name] = true
		if !tr.buckets[b.Name] && !open[b.Name+"/"] {
			v.Errorf("the bucket %s is there", b.Name)
		}
		res, err := l.List(ctx, b.Name, ListOptions{})
		if err != nil {
			v.Errorf("%v", err)
			continue
		}
		for _, o := range res.Objects {
			if _, ok := tr.objects[b.Name+"/"+o.Name]; !ok && !open[b.Name+"/"+o.Name] {
				v.Errorf("%s/%s is listed", b.Name, o.Name)
			}
		}
	}
	for b := range tr.buckets {
		if !there[b] && !open[b+"/"] {
			v.Errorf("the bucket %s is gone", b)
		}
	}
}

// checkWorks uses the store.
func checkWorks(ctx context.Context, l *Local, v *verdict) {
	_, err := l.CreateBucket(ctx, Bucket{Name: "probe"})
	if err == nil {
		_, err = l.Put(ctx, PutRequest{Bucket: "probe", Name: "a/b"}, strings.NewReader("probe"))
	}
	wantObject(ctx, l, v, "probe/a/b", &answered{content: "probe"})
	if err == nil {
		err = l.Delete(ctx, "probe", "a/b", Conditions{})
	}
	if err == nil {
		err = l.DeleteBucket(ctx, "probe", Conditions{})
	}
	if err != nil {
		v.Errorf("the store does not work: %v", err)
	}
}

// maxCuts is how many cuts are tried of a longer trace, chosen at random.
const maxCuts = 1000

// TestLocal_PowerLoss traces a store at work, and cuts the power before each of
// its system calls. Whatever the disk then holds, the store must come back with
// all that was answered. HEARTH_TEST_LONG=1 tries more work and more disks.
func TestLocal_PowerLoss(t *testing.T) {
	w, fates := shortWorkload(), 3
	if os.Getenv("HEARTH_TEST_LONG") != "" {
		w, fates = longWorkload(60), 20
	}
	if os.Getenv("OBJECT_TRACED") != "" {
		w.run(t, os.Getenv("OBJECT_TRACE_DIR")+"/new/objects")
		return
	}
	base := t.TempDir()
	events := traced(t, base)
	var steps []step
	w.each(func(_, _ int, s step) { steps = append(steps, s) })
	d := newDisk()
	for i, e := range events {
		d.record(base, i, e)
	}
	p := &powerLoss{t: t, disk: d, steps: steps, seen: map[string]bool{}, dir: memoryDir(t)}
	next := make(chan cutting)
	var wg sync.WaitGroup
	for range max(2, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for c := range next {
				p.try(c)
			}
		})
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for at := range len(events) + 1 {
		if len(events) > maxCuts && rnd.IntN(len(events)) > maxCuts {
			continue
		}
		now, random := truthAt(events, at, steps), 0
		if at == len(events) || events[at].Call == "sync" {
			random = fates // here most is at stake
		}
		for f := range 2 + random {
			next <- cutting{at, f, now}
		}
	}
	close(next)
	wg.Wait()
	t.Logf("%d calls, %d disks", len(events), p.tried.Load())
}

// truthAt is what was answered before a cut.
func truthAt(events []event, at int, steps []step) *truth {
	tr := newTruth()
	for _, e := range events[:at] {
		if e.Call == "mark" {
			tr.hear(e.Mark, steps)
		}
	}
	return tr
}

// memoryDir gives a folder where writing and syncing is fast.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "hearth-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// powerLoss tries cuts.
type powerLoss struct {
	t     *testing.T
	disk  *disk
	steps []step
	dir   string
	tried atomic.Int64

	mu   sync.Mutex
	seen map[string]bool
}

// cutting is a cut before an event, with the fate of what was not synced.
type cutting struct {
	at, fate int
	truth    *truth
}

func (p *powerLoss) try(c cutting) {
	f := fate{chance: float64(c.fate)} // nothing, everything
	if c.fate > 1 {
		f.rnd = rand.New(rand.NewPCG(uint64(c.at), uint64(c.fate)))
		f.chance = 0.05 + 0.9*f.rnd.Float64()
	}
	img := p.disk.cut(c.at, f)
	key := fmt.Sprintf("%x %+v", img.sum(), *c.truth)
	p.mu.Lock()
	known := p.seen[key]
	p.seen[key] = true
	p.mu.Unlock()
	if known || p.t.Failed() {
		return
	}
	dir := filepath.Join(p.dir, fmt.Sprint(p.tried.Add(1)))
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = img.write(dir)
	}
	if err != nil {
		p.t.Error(err)
		return
	}
	if errs := c.truth.check(p.t.Context(), filepath.Join(dir, "new/objects"), p.steps); len(errs) > 0 {
		p.t.Errorf("cut before call %d, fate %d (%.2f), steps not answered %v:\n%s", c.at, c.fate, f.chance, c.truth.begun, strings.Join(errs, "\n"))
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		p.t.Error(err)
	}
}
