package serving_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"hearth/ml"
	"hearth/scheduler/process"
	"hearth/serving"
	"hearth/serving/frame"
	"hearth/serving/tensor"
	"hearth/serving/worker"
	"hearth/storage/metadata"
	"hearth/storage/object"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// TestMain lets the test's program be the shim and the model worker too.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "task" {
		os.Exit(process.ShimMain(os.Args[2]))
	}
	if len(os.Args) > 2 && os.Args[1] == frame.WorkerCommand {
		os.Exit(workerMain(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

func workerMain(args []string) int {
	l, err := frame.ParseLaunch(args)
	if err == nil {
		err = worker.Main(context.Background(), worker.Options{Dir: l.Dir, ModelDir: l.Model, Loader: loadText, Runs: l.Runs,
			Limits: worker.Limits{InFlight: l.InFlight, Batch: l.Batch, Body: l.MaxBody, Timeout: l.Timeout}, Log: zerolog.New(os.Stderr)})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// textModel computes x*scale+2 in Go. What it does beside that stands as words
// in its saved_model.pb.
type textModel struct {
	scale      float32
	fifo       string
	dies       bool
	signatures map[string]*tensor.Signature
}

// loadText reads a textModel: "half_plus_two", "two_plus_two" (the scale is 1),
// "blocks FIFO" (7 waits until FIFO was written), "broken" (does not load),
// "exits" (the process ends), "dies" (7 ends the process).
func loadText(_ context.Context, dir string, _ worker.Threads) (worker.Servable, error) {
	b, err := os.ReadFile(filepath.Join(dir, "saved_model.pb"))
	if err != nil {
		return nil, err
	}
	what, rest, _ := strings.Cut(string(b), " ")
	m := &textModel{scale: 0.5, signatures: map[string]*tensor.Signature{"serving_default": {
		Name:    "serving_default",
		Inputs:  map[string]tensor.Spec{"x": {Name: "x", DType: tensor.Float32, Shape: []int64{-1}}},
		Outputs: map[string]tensor.Spec{"y": {Name: "y", DType: tensor.Float32, Shape: []int64{-1}}},
	}}}
	switch what {
	case "half_plus_two":
	case "two_plus_two":
		m.scale = 1
	case "blocks":
		m.fifo = rest
	case "dies":
		m.dies = true
	case "exits":
		os.Exit(3)
	default:
		return nil, ml.Errorf(ml.InvalidArgument, "cannot parse %q", b)
	}
	return m, nil
}

func (m *textModel) Signatures() map[string]*tensor.Signature { return m.signatures }
func (m *textModel) Close() error                             { return nil }

func (m *textModel) Run(_ context.Context, _ *tensor.Signature, in map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	x := in["x"]
	y := &tensor.Tensor{DType: tensor.Float32, Shape: x.Shape}
	for i := 0; i < len(x.Data); i += 4 {
		v := math.Float32frombits(binary.NativeEndian.Uint32(x.Data[i:]))
		if v == 7 && m.dies {
			os.Exit(4)
		}
		if v == 7 && m.fifo != "" {
			if _, err := os.ReadFile(m.fifo); err != nil {
				return nil, err
			}
		}
		y.Data = binary.NativeEndian.AppendUint32(y.Data, math.Float32bits(v*m.scale+2))
	}
	return []*tensor.Tensor{y}, nil
}

// oneRuntime is an installation with one runtime.
type oneRuntime struct{}

func (oneRuntime) Lookup(name string) (serving.Runtime, error) {
	if name != "" && name != "2.21" {
		return serving.Runtime{}, ml.FieldErrorf("runtimeVersion", "There is no runtime %q; installed are: 2.21.", name)
	}
	return serving.Runtime{Name: "2.21", Python: "3.11.2", TensorFlow: "/tensorflow"}, nil
}

// house is everything below a Manager, for as long as a test: what outlives a
// daemon.
type house struct {
	t         testing.TB
	dir       string
	db        *metadata.DB
	objects   *object.Local
	processes *process.Supervisor
	log       *lines
	options   serving.Options
}

func newHouse(t testing.TB) *house {
	t.Helper()
	return openHouse(t, t.TempDir())
}

// openHouse opens what an earlier daemon may have left in a folder.
func openHouse(t testing.TB, dir string) *house {
	t.Helper()
	h := &house{t: t, dir: dir, log: &lines{changed: make(chan struct{})}}
	var err error
	if h.db, err = metadata.Open(filepath.Join(h.dir, "hearth.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.db.Close() })
	if h.objects, err = object.OpenLocal(filepath.Join(h.dir, "objects"), object.LocalOptions{Log: zerolog.Nop()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.objects.Close() })
	if _, err = h.objects.CreateBucket(t.Context(), object.Bucket{Name: "models"}); err != nil && ml.KindOf(err) != ml.AlreadyExists {
		t.Fatal(err)
	}
	if err = os.MkdirAll(filepath.Join(h.dir, "models"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.processes = newSupervisor(t, filepath.Join(h.dir, "attempts"))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h.options = serving.Options{DB: h.db, Objects: h.objects, Executor: h.processes, Runtimes: oneRuntime{},
		Dir: filepath.Join(h.dir, "models"), Executable: exe, Log: zerolog.New(h.log)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log:\n%s", h.log)
		}
	})
	return h
}

// put writes an object below gs://models/.
func (h *house) put(name, content string) {
	h.t.Helper()
	if _, err := h.objects.Put(h.t.Context(), object.PutRequest{Bucket: "models", Name: name}, strings.NewReader(content)); err != nil {
		h.t.Fatal(err)
	}
}

// running is a Manager at work.
type running struct {
	*serving.Manager
	h    *house
	stop func()
}

// start runs a Manager until the test ends or stop is called, and waits until
// it is ready.
func (h *house) start() *running {
	h.t.Helper()
	m := serving.New(h.options)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	r := &running{Manager: m, h: h, stop: sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("Run gave %v", err)
		}
	})}
	h.t.Cleanup(r.stop)
	select {
	case <-m.Ready():
	case <-time.After(patience):
		h.t.Fatal("the manager is not ready")
	}
	return r
}

// until waits for a condition that some line of the log goes with.
func (h *house) until(what string, holds func() bool) {
	h.t.Helper()
	deadline := time.After(patience)
	for {
		changed := h.log.next()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			h.t.Fatalf("in vain: waited until %s", what)
		}
	}
}

// finished waits for an operation.
func (h *house) finished(op *ml.Operation) *ml.Operation {
	h.t.Helper()
	h.until(op.Name+" is done", func() bool {
		var err error
		if op, err = h.db.Operation("hearth", ml.LastSegment(op.Name)); err != nil {
			h.t.Fatal(err)
		}
		return op.Done
	})
	return op
}

// create makes a version out of gs://models/MODEL/VERSION/, and the model if
// there is none.
func (r *running) create(model, version, content string) *ml.Operation {
	r.h.t.Helper()
	r.h.put(model+"/"+version+"/saved_model.pb", content)
	if _, err := r.CreateModel(r.h.t.Context(), "hearth", &ml.Model{Name: model}); err != nil && ml.KindOf(err) != ml.AlreadyExists {
		r.h.t.Fatal(err)
	}
	op, err := r.CreateVersion(r.h.t.Context(), "hearth", model, &ml.Version{Name: version, DeploymentURI: "gs://models/" + model + "/" + version})
	if err != nil {
		r.h.t.Fatal(err)
	}
	return r.h.finished(op)
}

// deploy is create that has to succeed.
func (r *running) deploy(model, version, content string) {
	r.h.t.Helper()
	if op := r.create(model, version, content); op.Error != nil {
		r.h.t.Fatalf("create %s %s: %+v", model, version, op.Error)
	}
}

// ask predicts and gives the answer's status and body.
func (r *running) ask(model, version, body string) (int, string, error) {
	answer, err := r.Predict(context.Background(), serving.PredictRequest{Project: "hearth", Model: model, Version: version, Body: []byte(body)})
	if err != nil {
		return 0, "", err
	}
	defer answer.Release()
	return answer.Status, string(answer.Body), nil
}

// wants checks one prediction's value.
func (r *running) wants(model, version string, x, y float64) {
	r.h.t.Helper()
	status, body, err := r.ask(model, version, fmt.Sprintf(`{"instances": [%v]}`, x))
	var got struct{ Predictions []map[string]float64 }
	if err == nil {
		err = json.Unmarshal([]byte(body), &got)
	}
	if err != nil || status != 200 || len(got.Predictions) != 1 || got.Predictions[0]["y"] != y {
		r.h.t.Errorf("%s %s of %v: %d %s %v, want %v", model, version, x, status, body, err, y)
	}
}

func (r *running) refuses(model, version string, kind ml.Kind) {
	r.h.t.Helper()
	if status, body, err := r.ask(model, version, `{"instances": [1]}`); ml.KindOf(err) != kind || err == nil {
		r.h.t.Errorf("%s %s: %d %s %v, want %s", model, version, status, body, err, kind)
	}
}

// status gives what the Manager tells of a version.
func (r *running) status(model, version string) serving.VersionStatus {
	r.h.t.Helper()
	all, err := r.Snapshot()
	if err != nil {
		r.h.t.Fatal(err)
	}
	for _, s := range all {
		if s.Model == model && s.Version == version {
			return s
		}
	}
	return serving.VersionStatus{}
}

// lines is a log that can be waited on.
type lines struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(b)
}

// next gives a channel that is closed by the next line.
func (l *lines) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var _ io.Writer = (*lines)(nil)

// exists says whether something is at a path.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
