package tests

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// poison is the request that the models of tests/exports/poison.py cannot bear.
const poison = `{"instances":[666.0]}`

// bothWays are the configurations of the ways in which requests come to a worker.
var bothWays = map[string]string{"handed over": "hand_over = true", "in frames": "hand_over = false"}

func (d *daemon) poisoned(model string) {
	d.t.Helper()
	d.deploy(model, filepath.Join(fromEnv(d.t, "HEARTH_TEST_EXPORTS"), "2.21", model, "1"), model, "2.21")
}

func (d *daemon) predict(model, body string) (status int, answer string) {
	d.t.Helper()
	status, b := d.raw("POST", "/v1/projects/hearth/models/"+model+":predict", body)
	return status, string(b)
}

// back waits until a model answers again, which must not have been in vain: until then
// it may be UNAVAILABLE and nothing else.
func (d *daemon) back(model string) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		status, answer := d.predict(model, half)
		switch {
		case status == 200:
			return
		case status != 503 || time.Now().After(deadline):
			d.t.Fatalf("%s: %d %s", model, status, answer)
		}
	}
}

// A request that aborts the model's process does so twice; then it is refused, and
// says why. Others are answered all the while, by the same model as soon as it is back.
func TestPoison_AbortingGraph(t *testing.T) {
	for name, config := range bothWays {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, "[predict]", config)
			d.model("half", "half_plus_two")
			d.poisoned("aborts")
			d.keepPredicting(t, "half")
			for death := 1; death <= 2; death++ {
				if status, answer := d.predict("aborts", poison); status != 503 {
					t.Fatalf("death %d: %d %s", death, status, answer)
				}
				d.back("aborts")
			}
			worker := d.worker("aborts")
			for range 3 {
				if status, answer := d.predict("aborts", poison); status != 400 || !strings.Contains(answer, "has ended the version's worker twice") {
					t.Errorf("the third time: %d %s", status, answer)
				}
			}
			d.checkHalf("aborts")
			if now := d.worker("aborts"); now != worker {
				t.Errorf("the worker was started again: %d, before it was %d", now, worker)
			}
		})
	}
}

// A run that never returns: its client is told at its deadline, the others are
// answered meanwhile, and the worker makes room for one that answers. The second time
// is the last one.
func TestPoison_RunThatNeverReturns(t *testing.T) {
	for name, config := range bothWays {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, "[predict]", `timeout = "2s"`, config)
			d.model("half", "half_plus_two")
			d.poisoned("never_returns")
			d.keepPredicting(t, "half")
			for range 2 {
				worker := d.worker("never_returns")
				d.wantLate("never_returns", 2*time.Second)
				d.awaitEnd(worker)
				d.back("never_returns")
			}
			if status, answer := d.predict("never_returns", poison); status != 400 || !strings.Contains(answer, "has ended the version's worker twice") {
				t.Errorf("the third time: %d %s", status, answer)
			}
			d.checkHalf("never_returns")
		})
	}
}

// wantLate sends the poison and wants to be told at the deadline, not when the worker
// is ended for it, which is ten seconds later.
func (d *daemon) wantLate(model string, timeout time.Duration) {
	d.t.Helper()
	began := time.Now()
	status, answer := d.predict(model, poison)
	if took := time.Since(began); status != 504 || !strings.Contains(answer, "longer than it may") || took < timeout || took > timeout+8*time.Second {
		d.t.Errorf("after %s: %d %s", took, status, answer)
	}
}

// awaitEnd waits until a process is no more.
func (d *daemon) awaitEnd(pid int) {
	d.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); syscall.Kill(pid, 0) == nil; {
		select {
		case <-tick.C:
		case <-deadline:
			d.t.Fatalf("process %d does not end", pid)
		}
	}
}
