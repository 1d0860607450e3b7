package serving_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
	"hearth/serving"
	"hearth/storage/object"
)

func TestManager_CreateVersion(t *testing.T) {
	h := newHouse(t)
	r := h.start()
	op := r.create("half", "v1", "half_plus_two")
	if op.Error != nil || !strings.Contains(string(op.Response), `"READY"`) {
		t.Fatalf("operation: %+v, response %s", op.Error, op.Response)
	}
	r.wants("half", "", 1, 2.5)
	r.wants("half", "v1", 5, 4.5)
	if status, body, err := r.ask("half", "", `{"instances": [[1, 2]]}`); err != nil || status != 400 || !strings.Contains(body, `"error"`) {
		t.Errorf("wrong shape: %d %s %v", status, body, err)
	}
	if s := r.status("half", "v1"); s.State != ml.VersionReady || !s.Default || s.PID == 0 || s.Restarts != 0 || !strings.Contains(s.Session, "runs at once") {
		t.Errorf("status %+v", s)
	}
	if !exists(filepath.Join(h.dir, "models/hearth/half/v1/saved_model.pb")) || exists(filepath.Join(h.dir, "models/hearth/half/.v1.part")) {
		t.Error("the model's files are not where they belong")
	}

	r.deploy("half", "v2", "two_plus_two")
	r.wants("half", "", 1, 2.5)
	r.wants("half", "v2", 1, 3)
	if _, err := r.SetDefault(t.Context(), "hearth", "half", "v2"); err != nil {
		t.Fatal(err)
	}
	r.wants("half", "", 1, 3)
	r.wants("half", "v1", 1, 2.5)
}

func TestManager_CreateVersion_Refused(t *testing.T) {
	h := newHouse(t)
	r := h.start()
	r.deploy("half", "v1", "half_plus_two")
	version := func(change func(*ml.Version)) *ml.Version {
		v := &ml.Version{Name: "v2", DeploymentURI: "gs://models/half/v1"}
		change(v)
		return v
	}
	for name, tc := range map[string]struct {
		model string
		v     *ml.Version
		kind  ml.Kind
		want  string
	}{
		"no model":       {"absent", version(func(*ml.Version) {}), ml.NotFound, "absent"},
		"no runtime":     {"half", version(func(v *ml.Version) { v.RuntimeVersion = "9.99" }), ml.InvalidArgument, "2.21"},
		"other Python":   {"half", version(func(v *ml.Version) { v.PythonVersion = "3.1" }), ml.InvalidArgument, "3.11.2"},
		"duplicate":      {"half", version(func(v *ml.Version) { v.Name = "v1" }), ml.AlreadyExists, ""},
		"not an address": {"half", version(func(v *ml.Version) { v.DeploymentURI = "/models" }), ml.InvalidArgument, "gs://"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.CreateVersion(t.Context(), "hearth", tc.model, tc.v)
			if ml.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %s with %q", err, tc.kind, tc.want)
			}
		})
	}
	if all, _ := r.Snapshot(); len(all) != 1 {
		t.Errorf("refused versions left %+v", all)
	}
	r.wants("half", "", 1, 2.5)
}

func TestManager_CreateVersion_Fails(t *testing.T) {
	h := newHouse(t)
	h.options.Tail = func(process string, _ int) (string, error) {
		b, err := os.ReadFile(filepath.Join(h.processes.Folder(process), ml.FileStderr))
		return string(b), err
	}
	r := h.start()
	h.put("export/1/saved_model.pb", "half_plus_two")
	h.put("export/1/variables/variables.index", "")
	h.put("sklearn/model.joblib", "")
	h.put("empty/readme.txt", "")
	h.put("broken/saved_model.pb", "rubbish")
	h.put("exits/saved_model.pb", "exits")
	h.put("dots/saved_model.pb", "half_plus_two")
	h.put("dots/a//b", "")
	var puts sync.WaitGroup
	for i := range 1001 {
		puts.Go(func() {
			if _, err := h.objects.Put(t.Context(), object.PutRequest{Bucket: "models", Name: fmt.Sprintf("many/assets/%d", i)}, strings.NewReader("")); err != nil {
				t.Error(err)
			}
		})
	}
	puts.Wait()
	h.put("many/saved_model.pb", "half_plus_two")
	if _, err := r.CreateModel(t.Context(), "hearth", &ml.Model{Name: "m"}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		uri, want string
		code      ml.Kind
	}{
		"no_bucket":   {"gs://absent/m", "no bucket absent", ml.NotFound},
		"no_objects":  {"gs://models/nowhere", "no objects in gs://models/nowhere/", ml.NotFound},
		"subfolder":   {"gs://models/export", "gs://models/export/1/", ml.InvalidArgument},
		"no_graph":    {"gs://models/empty/", "no saved_model.pb in gs://models/empty/", ml.InvalidArgument},
		"sklearn":     {"gs://models/sklearn", "scikit-learn", ml.Unimplemented},
		"not_a_path":  {"gs://models/dots", "a//b", ml.InvalidArgument},
		"too_many":    {"gs://models/many", "1000", ml.InvalidArgument},
		"broken":      {"gs://models/broken", "cannot parse", ml.InvalidArgument},
		"worker_dies": {"gs://models/exits", "status 3", ml.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			op, err := r.CreateVersion(t.Context(), "hearth", "m", &ml.Version{Name: name, DeploymentURI: tc.uri})
			if err != nil {
				t.Fatal(err)
			}
			op = h.finished(op)
			if op.Error == nil || op.Error.Code != tc.code || !strings.Contains(op.Error.Message, tc.want) {
				t.Fatalf("operation ended with %+v, want %s with %q", op.Error, tc.code, tc.want)
			}
			v, err := h.db.Version("hearth", "m", name)
			if err != nil || v.State != ml.VersionFailed || v.ErrorMessage != op.Error.Message {
				t.Errorf("version %+v, %v", v, err)
			}
			r.refuses("m", name, ml.FailedPrecondition)
			if op, err = r.DeleteVersion(t.Context(), "hearth", "m", name); err != nil {
				t.Fatal(err)
			}
			if op = h.finished(op); op.Error != nil {
				t.Errorf("delete: %+v", op.Error)
			}
			if exists(filepath.Join(h.dir, "models/hearth/m", name)) || exists(filepath.Join(h.dir, "models/hearth/m", "."+name+".part")) {
				t.Error("its files are still there")
			}
		})
	}
}

func TestManager_Predict_Refused(t *testing.T) {
	h := newHouse(t)
	r := h.start()
	if _, err := r.CreateModel(t.Context(), "hearth", &ml.Model{Name: "empty"}); err != nil {
		t.Fatal(err)
	}
	r.refuses("absent", "", ml.NotFound)
	r.refuses("absent", "v1", ml.NotFound)
	r.refuses("empty", "", ml.FailedPrecondition)
	r.refuses("empty", "v1", ml.NotFound)
	if _, _, err := r.ask("absent", "", "{}"); !strings.Contains(err.Error(), "projects/hearth/models/absent") {
		t.Errorf("%v does not name the model", err)
	}
}

// load asks a model for predictions until stop is closed and counts by kind of
// error; progress gets a kind whenever there is somebody to hear it.
func (r *running) load(model string, stop <-chan struct{}, progress chan<- ml.Kind) (counts map[ml.Kind]int, slowest time.Duration) {
	counts = map[ml.Kind]int{}
	for {
		select {
		case <-stop:
			return counts, slowest
		default:
		}
		began := time.Now()
		_, _, err := r.ask(model, "", `{"instances": [1]}`)
		if took := time.Since(began); err != nil && took > slowest {
			slowest = took
		}
		counts[ml.KindOf(err)]++
		select {
		case progress <- ml.KindOf(err):
		case <-stop:
			return counts, slowest
		}
	}
}

func TestManager_KilledWorkerDisturbsNoOther(t *testing.T) {
	h := newHouse(t)
	r := h.start()
	r.deploy("victim", "v1", "half_plus_two")
	r.deploy("other", "v1", "half_plus_two")
	pid, otherPID := r.status("victim", "v1").PID, r.status("other", "v1").PID

	stop := make(chan struct{})
	victims, others := make(chan ml.Kind), make(chan ml.Kind)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		wg.Go(func() {
			counts, _ := r.load("other", stop, others)
			delete(counts, ml.OK)
			if len(counts) > 0 {
				t.Errorf("the other version: %v", counts)
			}
		})
		wg.Go(func() {
			counts, slowest := r.load("victim", stop, victims)
			delete(counts, ml.OK)
			delete(counts, ml.Unavailable)
			mu.Lock()
			defer mu.Unlock()
			if len(counts) > 0 || slowest > 2*time.Second {
				t.Errorf("the killed version: %v, the slowest failure took %s", counts, slowest)
			}
		})
	}
	wg.Go(func() {
		for {
			select {
			case <-others:
			case <-stop:
				return
			}
		}
	})
	await := func(kind ml.Kind, n int) {
		deadline := time.After(patience)
		for n > 0 {
			select {
			case k := <-victims:
				if k == kind {
					n--
				}
			case <-deadline:
				t.Fatalf("the killed version: %d more %s were to come", n, kind)
			}
		}
	}
	await(ml.OK, 100)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(ml.Unavailable, 1)
	await(ml.OK, 100)
	close(stop)
	wg.Wait()
	if s := r.status("victim", "v1"); s.PID == pid || s.PID == 0 || s.Restarts != 1 {
		t.Errorf("status after the restart: %+v, the pid was %d", s, pid)
	}
	if s := r.status("other", "v1"); s.PID != otherPID || s.Restarts != 0 {
		t.Errorf("status of the other: %+v, the pid was %d", s, otherPID)
	}
}

func TestManager_Restart(t *testing.T) {
	t.Run("workers are found again", func(t *testing.T) {
		h := newHouse(t)
		r := h.start()
		r.deploy("a", "v1", "half_plus_two")
		r.deploy("b", "v1", "two_plus_two")
		a, b := r.status("a", "v1").PID, r.status("b", "v1").PID
		r.stop()
		r.refuses("a", "", ml.Unavailable)
		// Neither its source nor its copy is needed by a version that is loaded.
		if err := os.RemoveAll(filepath.Join(h.dir, "models/hearth/b")); err != nil {
			t.Fatal(err)
		}
		r = h.start()
		r.wants("a", "", 1, 2.5)
		r.wants("b", "", 1, 3)
		if x, y := r.status("a", "v1").PID, r.status("b", "v1").PID; x != a || y != b {
			t.Errorf("workers %d and %d, before %d and %d", x, y, a, b)
		}
	})
	t.Run("a worker lost meanwhile is replaced", func(t *testing.T) {
		h := newHouse(t)
		r := h.start()
		r.deploy("a", "v1", "half_plus_two")
		pid := r.status("a", "v1").PID
		r.stop()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if _, err := h.processes.Wait(t.Context(), "hearth.a.v1.1/model-worker"); err != nil {
			t.Fatal(err)
		}
		r = h.start()
		r.wants("a", "", 1, 2.5)
		if h.processes.Started("hearth.a.v1.3/model-worker") || !h.processes.Started("hearth.a.v1.2/model-worker") {
			t.Error("there were other attempts than one more")
		}
	})
	t.Run("a creation goes on", func(t *testing.T) {
		h := newHouse(t)
		h.put("m/saved_model.pb", "half_plus_two")
		if _, err := h.db.CreateModel("hearth", &ml.Model{Name: "m"}); err != nil {
			t.Fatal(err)
		}
		_, op, err := h.db.CreateVersion("hearth", "m", &ml.Version{Name: "v1", DeploymentURI: "gs://models/m", RuntimeVersion: "2.21"})
		if err != nil {
			t.Fatal(err)
		}
		half := filepath.Join(h.dir, "models/hearth/m/.v1.part")
		if err := os.MkdirAll(half, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(half, "saved_model.pb"), []byte("half_"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := h.start()
		if op = h.finished(op); op.Error != nil {
			t.Fatalf("operation %+v", op.Error)
		}
		r.wants("m", "", 1, 2.5)
	})
	t.Run("a deletion goes on", func(t *testing.T) {
		h := newHouse(t)
		r := h.start()
		r.deploy("a", "v1", "half_plus_two")
		pid := r.status("a", "v1").PID
		r.stop()
		op, err := h.db.BeginDeleteVersion("hearth", "a", "v1")
		if err != nil {
			t.Fatal(err)
		}
		h.start()
		h.finished(op)
		if err := syscall.Kill(pid, 0); err == nil {
			t.Error("its worker is still there")
		}
	})
}

func TestManager_DeleteVersion(t *testing.T) {
	h := newHouse(t)
	r := h.start()
	fifo := filepath.Join(h.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r.deploy("m", "v1", "blocks "+fifo)
	r.deploy("m", "v2", "half_plus_two")
	pid := r.status("m", "v1").PID
	if _, err := r.DeleteVersion(t.Context(), "hearth", "m", "v1"); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("delete of the default version: %v", err)
	}
	if _, err := r.SetDefault(t.Context(), "hearth", "m", "v2"); err != nil {
		t.Fatal(err)
	}

	type result struct {
		status int
		body   string
		err    error
	}
	inFlight := make(chan result, 1)
	go func() {
		status, body, err := r.ask("m", "v1", `{"instances": [7]}`)
		inFlight <- result{status, body, err}
	}()
	gate, err := os.OpenFile(fifo, os.O_WRONLY, 0) // returns when the model reads
	if err != nil {
		t.Fatal(err)
	}
	op, err := r.DeleteVersion(t.Context(), "hearth", "m", "v1")
	if err != nil {
		t.Fatal(err)
	}
	r.refuses("m", "v1", ml.FailedPrecondition)
	gate.Close()
	if got := <-inFlight; got.err != nil || got.status != 200 {
		t.Errorf("the request in flight: %+v", got)
	}
	if op = h.finished(op); op.Error != nil {
		t.Errorf("operation %+v", op.Error)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("its worker is still there")
	}
	if exists(filepath.Join(h.dir, "models/hearth/m/v1")) || exists(h.processes.Folder("hearth.m.v1.1")) {
		t.Error("its files are still there")
	}
	r.refuses("m", "v1", ml.NotFound)
	r.wants("m", "", 1, 2.5)
	if _, err := r.DeleteModel(t.Context(), "hearth", "m"); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("delete of a model with versions: %v", err)
	}
	// The name is free again.
	r.deploy("m", "v1", "two_plus_two")
	r.wants("m", "v1", 1, 3)
}

func TestManager_Predict_Bounds(t *testing.T) {
	h := newHouse(t)
	h.options.MaxInFlight = 1
	r := h.start()
	fifo := filepath.Join(h.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r.deploy("m", "v1", "blocks "+fifo)
	blocked := serving.PredictRequest{Project: "hearth", Model: "m", Body: []byte(`{"instances": [7]}`)}
	for name, tc := range map[string]struct {
		ctx  func() (context.Context, context.CancelFunc)
		kind ml.Kind
	}{
		"cancelled": {func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) }, ml.Canceled},
		"too late": {func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), time.Second)
		}, ml.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := tc.ctx()
			defer cancel()
			failed := make(chan error, 1)
			go func() {
				_, err := r.Predict(ctx, blocked)
				failed <- err
			}()
			gate, err := os.OpenFile(fifo, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer gate.Close()
			if tc.kind == ml.Canceled {
				r.refuses("m", "", ml.ResourceExhausted)
				cancel()
			}
			select {
			case err := <-failed:
				if ml.KindOf(err) != tc.kind {
					t.Errorf("%v, want %s", err, tc.kind)
				}
			case <-time.After(patience):
				t.Fatal("the request goes on")
			}
			gate.Close()
			// Its client is gone, but the run holds its place until it returns.
			for deadline := time.Now().Add(patience); time.Now().Before(deadline) && r.Stats(t.Context())[0].InFlight > 0; {
			}
			r.wants("m", "", 1, 2.5)
		})
	}
	large := make([]byte, 3<<20)
	for i := range large {
		large[i] = ' '
	}
	copy(large, `{"instances": [1`)
	copy(large[len(large)-2:], `]}`)
	if status, body, err := r.ask("m", "", string(large)); err != nil || status != 200 {
		t.Errorf("a large request: %d %s %v", status, body, err)
	}
}
