package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// counter is a trainer that leaves one line for each time it runs, waits until
// the test lets it go on, and prints numbered lines.
const counter = `
import os, sys, time
ran, gate = sys.argv[1], sys.argv[2]
with open(ran, "a") as f:
    f.write("ran\n")
for i in range(500):
    print("line", i)
while not os.path.exists(gate):
    time.sleep(0.01)
for i in range(500, 1000):
    print("line", i)
`

// crashPoints are the named places at which the daemon can be made to kill
// itself, as docs/states.md lists them.
var crashPoints = []string{
	"job submitted", "attempt started", "job prepared", "process started", "job running", "process ended", "job finished",
}

func TestRecovery_KilledAtEachCrashPoint(t *testing.T) {
	for _, point := range crashPoints {
		t.Run(strings.ReplaceAll(point, " ", "_"), func(t *testing.T) {
			d := prepareDaemon(t)
			d.start("HEARTH_CRASH_AT=" + point)
			d.waitReady()
			uri := d.upload(trainer(t, counter), "counter")
			ran, gate := filepath.Join(t.TempDir(), "ran"), filepath.Join(t.TempDir(), "gate")
			check(t, os.WriteFile(gate, nil, 0o600))
			d.submitMayDie("crash_1", uri, ran, gate)
			d.waitEnd()
			d.restart()
			d.checkRanOnce("crash_1", ran)
			d.checkNoTrainerLeft()
		})
	}
}

func (d *daemon) checkNoTrainerLeft() {
	d.t.Helper()
	for _, pid := range d.processes() {
		if cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.Contains(string(cmdline), "trainer.task") {
			d.t.Errorf("a trainer is left: %d", pid)
		}
	}
}

// submitMayDie submits a job to a daemon that kills itself over it, so that
// the answer may be missing.
func (d *daemon) submitMayDie(job, uri string, args ...string) {
	d.t.Helper()
	list := ""
	for _, a := range args {
		list += fmt.Sprintf(",%q", a)
	}
	d.hearth(append([]string{"jobs", "submit", "training", job, "--packages", uri, "--module-name", "trainer.task",
		"--runtime-version", "test", "--region", "here", "--async", "--"}, args...)...)
}

func (d *daemon) checkRanOnce(job, ran string) {
	d.t.Helper()
	got := d.wait(job)
	if got["state"] != "SUCCEEDED" {
		d.t.Errorf("%s: %v", job, got)
	}
	if lines := awaitLines(d.t, ran, 1); len(lines) != 1 {
		d.t.Errorf("%s ran %d times", job, len(lines))
	}
	d.checkLog(job)
}

// checkLog looks for each of the trainer's lines exactly once.
func (d *daemon) checkLog(job string) {
	d.t.Helper()
	out := d.must("jobs", "stream-logs", job)
	next := 0
	for line := range strings.Lines(out) {
		if i := strings.Index(line, "line "); i >= 0 {
			if want := fmt.Sprintf("line %d", next); strings.TrimSpace(line[i:]) != want {
				d.t.Fatalf("%s: got %q, want %q", job, line[i:], want)
			}
			next++
		}
	}
	if next != 1000 {
		d.t.Errorf("%s: %d lines of 1000 in the log", job, next)
	}
}

func TestRecovery_KilledInEachState(t *testing.T) {
	d := newDaemon(t, "cpus = 1")
	d.model("half", "half_plus_two")
	d.model("mlp", "mlp_784_512_512_10")
	uri := d.upload(trainer(t, counter), "counter")
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	run := func(job string) string {
		ran := filepath.Join(dir, job)
		d.submit(job, uri, ran, gate)
		return ran
	}
	running := run("state_running")
	awaitLines(t, running, 1)
	queued := run("state_queued")
	before := d.workers()

	d.kill()
	d.restart()

	d.checkHalf("half")
	if after := d.workers(); fmt.Sprint(after) != fmt.Sprint(before) || len(after) != 2 {
		t.Errorf("model workers before %v, after %v: loaded versions must survive", before, after)
	}
	check(t, os.WriteFile(gate, nil, 0o600))
	d.checkRanOnce("state_running", running)
	d.checkRanOnce("state_queued", queued)

	d.kill()
	d.restart()
	d.checkRanOnce("state_running", running)
	d.checkHalf("half")
}

func TestDaemon_SecondIsRefused(t *testing.T) {
	d := newDaemon(t)
	out, err := d.hearth("serve", "--data", d.data, "--listen", freeAddress(t))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(d.cmd.Process.Pid)) {
		t.Errorf("got %q, %v; want a refusal that names pid %d", out, err, d.cmd.Process.Pid)
	}
	_, err = d.hearth("serve", "--data", t.TempDir(), "--listen", d.addr)
	if err == nil || !strings.Contains(err.Error(), d.addr) {
		t.Errorf("got %v; want one line about the taken address", err)
	}
}

func TestDaemon_SigtermLeavesJobsRunning(t *testing.T) {
	d := newDaemon(t)
	uri := d.upload(trainer(t, counter), "counter")
	dir := t.TempDir()
	ran, gate := filepath.Join(dir, "ran"), filepath.Join(dir, "gate")
	d.submit("survivor", uri, ran, gate)
	awaitLines(t, ran, 1)
	check(t, d.cmd.Process.Signal(os.Signal(sigterm)))
	d.waitEnd()
	check(t, os.WriteFile(gate, nil, 0o600))
	d.restart()
	d.checkRanOnce("survivor", ran)
}
