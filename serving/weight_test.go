package serving_test

import (
	"slices"
	"sync"
	"syscall"
	"testing"

	"hearth/ml"
	"hearth/scheduler/process"
)

// weighed notes what weights were set, by a real supervisor.
type weighed struct {
	*process.Supervisor
	mu      sync.Mutex
	weights []string
}

func (w *weighed) SetWeight(id string, weight ml.Weight) error {
	w.mu.Lock()
	w.weights = append(w.weights, id+" "+string(weight))
	w.mu.Unlock()
	return w.Supervisor.SetWeight(id, weight)
}

func (w *weighed) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.weights
	w.weights = nil
	return taken
}

// TestManager_VersionLoadsAtIdleWeight: a version yields to its neighbours until it
// answers.
func TestManager_VersionLoadsAtIdleWeight(t *testing.T) {
	h := newHouse(t)
	w := &weighed{Supervisor: h.processes}
	h.options.Executor = w
	r := h.start()
	r.deploy("half", "v1", "half_plus_two")
	if got, want := w.take(), []string{"hearth.half.v1.1/model-worker idle", "hearth.half.v1.1/model-worker normal"}; !slices.Equal(got, want) {
		t.Errorf("a new version: %q, want %q", got, want)
	}
	if err := syscall.Kill(r.status("half", "v1").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until("there is a new worker", func() bool { s := r.status("half", "v1"); return s.Restarts == 1 && s.PID != 0 })
	if got, want := w.take(), []string{"hearth.half.v1.2/model-worker idle", "hearth.half.v1.2/model-worker normal"}; !slices.Equal(got, want) {
		t.Errorf("one that comes back: %q, want %q", got, want)
	}
}
