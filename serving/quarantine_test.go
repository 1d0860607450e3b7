package serving_test

import (
	"strings"
	"testing"

	"hearth/ml"
)

// A request that kills its worker does so twice and no more; its neighbours, which
// were there when the worker died, are answered.
func TestManager_RequestThatKillsItsWorker(t *testing.T) {
	h := newHouse(t)
	r := h.start()
	r.deploy("m", "v1", "dies")
	r.wants("m", "v1", 1, 2.5)
	const poison = `{"instances": [7]}`
	for died := 1; died <= 2; died++ {
		if _, _, err := r.ask("m", "v1", poison); ml.KindOf(err) != ml.Unavailable {
			t.Fatalf("death %d: %v", died, err)
		}
		h.until("the worker is back", func() bool { return r.status("m", "v1").Restarts == died && r.status("m", "v1").PID != 0 })
		r.wants("m", "v1", 1, 2.5)
	}
	for range 3 {
		if _, _, err := r.ask("m", "v1", poison); ml.KindOf(err) != ml.FailedPrecondition || !strings.Contains(err.Error(), "twice") {
			t.Errorf("the third time: %v", err)
		}
	}
	r.wants("m", "v1", 2, 3)
	if n := r.status("m", "v1").Restarts; n != 2 {
		t.Errorf("the worker was started again %d times", n)
	}
}
