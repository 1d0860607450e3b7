package serving_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
	"hearth/serving"
	"hearth/serving/handover"
)

// createOnDemand makes a version that scales down to no node.
func (r *running) createOnDemand(model, version, content string) {
	r.h.t.Helper()
	r.createScaled(model, content, &ml.Version{Name: version, AutoScaling: &ml.AutoScaling{}})
}

func (r *running) createScaled(model, content string, v *ml.Version) {
	r.h.t.Helper()
	r.h.put(model+"/"+v.Name+"/saved_model.pb", content)
	if _, err := r.CreateModel(r.h.t.Context(), "hearth", &ml.Model{Name: model}); err != nil && ml.KindOf(err) != ml.AlreadyExists {
		r.h.t.Fatal(err)
	}
	v.DeploymentURI = "gs://models/" + model + "/" + v.Name
	op, err := r.CreateVersion(r.h.t.Context(), "hearth", model, v)
	if err != nil {
		r.h.t.Fatal(err)
	}
	if op = r.h.finished(op); op.Error != nil {
		r.h.t.Fatalf("create %s: %+v", model, op.Error)
	}
}

func (r *running) untilUnloaded(model string) {
	r.h.t.Helper()
	r.h.until(model+" is unloaded", func() bool { return strings.Contains(r.status(model, "v1").Message, "unloaded until") })
}

func TestManager_OnDemand(t *testing.T) {
	h := newHouse(t)
	h.options.Idle = 300 * time.Millisecond
	r := h.start()
	r.createOnDemand("half", "v1", "half_plus_two")
	pid := r.status("half", "v1").PID
	r.wants("half", "v1", 3, 3.5)
	r.untilUnloaded("half")
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("its worker: %v", err)
	}
	// All who ask while it is loaded are answered.
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() { r.wants("half", "", 1, 2.5) })
	}
	asking.Wait()
	s := r.status("half", "v1")
	if s.Restarts != 0 || s.PID == pid || s.PID == 0 {
		t.Errorf("%+v", s)
	}
	// It need not try out again what the first one has.
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID)); err != nil || !strings.Contains(string(line), `"intraOp"`) {
		t.Errorf("it was started by %q, %v", line, err)
	}
	r.untilUnloaded("half")
	// The next daemon does not load it before it is asked for.
	r.stop()
	r = h.start()
	if s := r.status("half", "v1"); s.PID != 0 || s.State != ml.VersionReady {
		t.Errorf("after a restart %+v", s)
	}
	r.wants("half", "v1", 1, 2.5)
	// It finds the worker that it runs.
	h.options.Idle = time.Hour // of the next
	if pid = r.status("half", "v1").PID; pid == 0 {
		t.Fatal("it is not loaded")
	}
	r.stop()
	r = h.start()
	h.until("the worker is found again", func() bool { return r.status("half", "v1").PID == pid })
	// One that died comes back like any other.
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until("there is a new worker", func() bool { s := r.status("half", "v1"); return s.Restarts == 1 && s.PID != 0 })
	r.wants("half", "v1", 1, 2.5)
}

// A request waits no longer for the model than its client does, and is counted out.
func TestManager_OnDemandLate(t *testing.T) {
	h := newHouse(t)
	h.options.Idle, h.options.MaxInFlight = 100*time.Millisecond, 1
	r := h.start()
	r.createOnDemand("half", "v1", "half_plus_two")
	r.untilUnloaded("half")
	_, err := r.Predict(t.Context(), serving.PredictRequest{Project: "hearth", Model: "half", Timeout: time.Microsecond, Body: []byte(`{"instances":[1]}`)})
	if ml.KindOf(err) != ml.DeadlineExceeded {
		t.Errorf("answered %v", err)
	}
	r.wants("half", "v1", 1, 2.5)
}

// Who waits for a version that is deleted meanwhile is told at once.
func TestManager_OnDemandDeleted(t *testing.T) {
	h := newHouse(t)
	h.options.Idle = 100 * time.Millisecond
	r := h.start()
	fifo := filepath.Join(h.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r.createOnDemand("half", "v1", "half_plus_two")
	r.untilUnloaded("half")
	// The next worker's loading waits for a word that does not come.
	graph := filepath.Join(h.dir, "models", "hearth", "half", "v1", "saved_model.pb")
	if err := errors.Join(os.Remove(graph), os.Symlink(fifo, graph)); err != nil {
		t.Fatal(err)
	}
	asked := make(chan error, 1)
	go func() {
		_, _, err := r.ask("half", "v1", `{"instances": [1]}`)
		asked <- err
	}()
	w, err := unix.Open(fifo, unix.O_WRONLY, 0) // waits until it is being loaded
	if err != nil {
		t.Fatal(err)
	}
	op, err := r.DeleteVersion(t.Context(), "hearth", "half", "v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := <-asked; ml.KindOf(err) != ml.Unavailable || !strings.Contains(err.Error(), "deleted") {
		t.Errorf("answered %v", err)
	}
	if err := unix.Close(w); err != nil {
		t.Fatal(err)
	}
	h.finished(op)
}

// A connection that was lent to a worker that is unloaded goes on.
func TestManager_OnDemandLent(t *testing.T) {
	h := newHouse(t)
	h.options.Idle = 100 * time.Millisecond
	returned := make(chan *net.TCPConn, 1)
	h.options.Returned = func(c *net.TCPConn, _ []byte, _ handover.Reason) { returned <- c }
	r := h.start()
	r.createOnDemand("half", "v1", "half_plus_two")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	r.wants("half", "v1", 1, 2.5)
	loan, ok := r.Lend("hearth", "half", "v1", 0)
	if !ok || !loan.Take(c.(*net.TCPConn), nil) {
		t.Fatal("the connection was not lent")
	}
	select {
	case back := <-returned:
		back.Close()
	case <-time.After(patience):
		t.Fatal("the connection did not come back")
	}
	r.untilUnloaded("half")
}

// Where memory is short, the version on demand that was used longest ago makes room.
func TestManager_MakesRoom(t *testing.T) {
	h := newHouse(t)
	var short atomic.Int32 // so many times there will be no memory
	h.options.FreeMemory = func() (int64, error) {
		if short.Add(-1) >= 0 {
			return 0, nil
		}
		return 1 << 40, nil
	}
	r := h.start()
	for _, model := range []string{"first", "second", "third"} {
		r.createOnDemand(model, "v1", "half_plus_two")
	}
	for _, model := range []string{"second", "third", "first"} {
		r.wants(model, "v1", 1, 2.5)
	}
	loaded := func() (names []string) {
		for _, model := range []string{"first", "second", "third", "fixed"} {
			if r.status(model, "v1").PID != 0 {
				names = append(names, model)
			}
		}
		return names
	}
	short.Store(1)
	r.deploy("fixed", "v1", "half_plus_two")
	if got, want := loaded(), []string{"first", "third", "fixed"}; !slices.Equal(got, want) {
		t.Errorf("loaded are %v, want %v", got, want)
	}
	// One that is asked for makes another one go.
	short.Store(1)
	r.wants("second", "v1", 1, 2.5)
	if got, want := loaded(), []string{"first", "second", "fixed"}; !slices.Equal(got, want) {
		t.Errorf("loaded are %v, want %v", got, want)
	}
	// If there never is enough, it is loaded all the same.
	short.Store(1000)
	r.wants("third", "v1", 1, 2.5)
	if got, want := loaded(), []string{"third", "fixed"}; !slices.Equal(got, want) {
		t.Errorf("loaded are %v, want %v", got, want)
	}
	if !strings.Contains(h.log.String(), "memory is short, and nothing can be unloaded") {
		t.Error("nothing was said of that")
	}
}

// The replicas of a version share its requests; when one dies the others go on.
func TestManager_Replicas(t *testing.T) {
	h := newHouse(t)
	r := h.start()
	fifo := filepath.Join(h.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r.createScaled("half", "blocks "+fifo, &ml.Version{Name: "v1", ManualScaling: &ml.ManualScaling{Nodes: 3}})
	all := func() []int { return r.status("half", "v1").PIDs }
	h.until("all replicas answer", func() bool { return len(all()) == 3 })
	pids := all()
	// While one of them is at work the others get the requests.
	blocked := make(chan struct{})
	go func() {
		defer close(blocked)
		r.wants("half", "v1", 7, 5.5)
	}()
	w, err := unix.Open(fifo, unix.O_WRONLY, 0) // waits for the run
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		r.wants("half", "v1", 1, 2.5)
	}
	if err := unix.Close(w); err != nil {
		t.Fatal(err)
	}
	<-blocked
	// The next daemon finds all of them.
	r.stop()
	r = h.start()
	h.until("all replicas are found", func() bool { return len(all()) == 3 })
	again := all()
	for _, pid := range pids {
		if !slices.Contains(again, pid) {
			t.Errorf("workers %v were %v", again, pids)
		}
	}
	if err := syscall.Kill(pids[1], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until("it is missed", func() bool { return !slices.Contains(all(), pids[1]) })
	for range 10 {
		r.wants("half", "v1", 1, 2.5)
	}
	h.until("it is replaced", func() bool { return len(all()) == 3 })
	if s := r.status("half", "v1"); s.Restarts != 1 {
		t.Errorf("%d restarts", s.Restarts)
	}
	op, err := r.DeleteVersion(t.Context(), "hearth", "half", "v1")
	if err != nil {
		t.Fatal(err)
	}
	h.finished(op)
	for _, pid := range all() {
		t.Errorf("worker %d is left", pid)
	}
	left, err := filepath.Glob(filepath.Join(h.dir, "attempts", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
