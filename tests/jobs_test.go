package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestJob_Succeeds(t *testing.T) {
	d := newDaemon(t)
	uri := d.upload(trainer(t, `
import json, os, sys
print("arguments", sys.argv[1:])
print("config", json.loads(os.environ["TF_CONFIG"])["cluster"])
print("to stderr", file=sys.stderr)
`), "ok")
	d.must("jobs", "submit", "training", "ok_1", "--packages", uri, "--module-name", "trainer.task",
		"--runtime-version", "test", "--region", "here", "--job-dir", "gs://jobs/out", "--", "--steps", "3")
	out, err := d.hearth("jobs", "stream-logs", "ok_1")
	check(t, err)
	for _, want := range []string{"arguments ['--steps', '3', '--job-dir', 'gs://jobs/out']", "config {}", "to stderr"} {
		if !strings.Contains(out, want) {
			t.Errorf("the log lacks %q:\n%s", want, out)
		}
	}
	job := d.wait("ok_1")
	if job["state"] != "SUCCEEDED" || job["startTime"] == nil || job["errorMessage"] != nil {
		t.Errorf("got %v", job)
	}
}

func TestJob_FailsSayingWhy(t *testing.T) {
	d := newDaemon(t, `memory_limit = "300MiB"`)
	cases := map[string]struct {
		archive string
		module  string
		want    []string
	}{
		"exits_3": {archive: trainer(t, "def f():\n    raise ValueError('the data is bad')\ntry:\n    f()\nexcept ValueError:\n    import sys, traceback\n    traceback.print_exc()\n    sys.exit(3)\n"),
			want: []string{"The replica master 0 exited with a non-zero status of 3", "Traceback", "ValueError: the data is bad"}},
		"no_module":         {archive: trainer(t, ""), module: "trainer.absent", want: []string{"No module named", "trainer.absent"}},
		"does_not_install":  {archive: sdist(t, map[string]string{"setup.py": "raise SystemExit('setup cannot go on')\n"}), want: []string{"setup cannot go on"}},
		"wants_the_unknown": {archive: trainer(t, "", "no-such-distribution-anywhere-0815"), want: []string{"no-such-distribution-anywhere-0815"}},
		"out_of_memory":     {archive: trainer(t, "b = []\nwhile True:\n    b.append(b'x' * 10_000_000)\n"), want: []string{"out of memory"}},
		"out_of_memory_in_a_child": {archive: trainer(t, "import subprocess, sys\nsys.exit(subprocess.call([sys.executable, '-c', 'b=[]\\nwhile True: b.append(bytes(10_000_000))']))\n"),
			want: []string{"out of memory"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			uri := d.upload(c.archive, name)
			module := c.module
			if module == "" {
				module = "trainer.task"
			}
			status, got := d.call("POST", "/v1/projects/hearth/jobs", fmt.Sprintf(
				`{"jobId":%q,"trainingInput":{"packageUris":[%q],"pythonModule":%q,"region":"here","runtimeVersion":"test"}}`, name, uri, module))
			if status != 200 {
				t.Fatalf("submit: %d %v", status, got)
			}
			job := d.wait(name)
			message, _ := job["errorMessage"].(string)
			if job["state"] != "FAILED" {
				t.Errorf("state %v, want FAILED", job["state"])
			}
			for _, want := range c.want {
				if !strings.Contains(message, want) {
					t.Errorf("errorMessage lacks %q:\n%s", want, message)
				}
			}
		})
	}
}

// stubborn is a trainer that leaves processes behind in every way there is.
const stubborn = `
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def note():
    with open(sys.argv[1], "a") as f:
        f.write("%d\n" % os.getpid())
for way in ("fork", "setsid", "double fork"):
    if os.fork() == 0:
        if way != "fork":
            os.setsid()
        if way == "double fork" and os.fork() != 0:
            os._exit(0)
        note()
        time.sleep(3600)
note()
print("ready", flush=True)
time.sleep(3600)
`

func TestJob_CancelLeavesNoProcess(t *testing.T) {
	d := newDaemon(t)
	uri := d.upload(trainer(t, stubborn), "stubborn")
	pids := filepath.Join(t.TempDir(), "pids")
	d.submit("stubborn_1", uri, pids)
	noted := awaitLines(t, pids, 4)
	d.must("jobs", "cancel", "stubborn_1")
	job := d.wait("stubborn_1")
	ended, err := time.Parse(time.RFC3339Nano, job["endTime"].(string))
	check(t, err)
	if job["state"] != "CANCELLED" {
		t.Errorf("state %v, want CANCELLED", job["state"])
	}
	for _, pid := range noted {
		if alive(pid) {
			t.Errorf("process %s lives after the job ended at %s", pid, ended)
		}
	}
	// Cancelling what is over succeeds and changes nothing.
	d.must("jobs", "cancel", "stubborn_1")
	if again := d.wait("stubborn_1"); again["endTime"] != job["endTime"] {
		t.Errorf("a second cancel moved endTime from %v to %v", job["endTime"], again["endTime"])
	}
}

func alive(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// awaitLines blocks until the file has n lines, and gives them.
func awaitLines(t testing.TB, path string, n int) []string {
	t.Helper()
	var lines []string
	await(t, fmt.Sprintf("%d lines in %s", n, path), func() bool {
		b, _ := os.ReadFile(path)
		lines = strings.Fields(string(b))
		return len(lines) >= n
	})
	return lines
}

// await blocks until something holds that nobody tells of.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain: waited for %s", what)
		}
	}
}

func TestJobs_RunInSubmitOrder(t *testing.T) {
	d := newDaemon(t, "cpus = 1")
	order := filepath.Join(t.TempDir(), "order")
	uri := d.upload(trainer(t, "import sys\nopen(sys.argv[2], 'a').write(sys.argv[1] + '\\n')\n"), "order")
	var want []string
	for i := range 6 {
		job := "order_" + strconv.Itoa(i)
		d.submit(job, uri, job, order)
		want = append(want, job)
	}
	for _, job := range want {
		if got := d.wait(job); got["state"] != "SUCCEEDED" {
			t.Fatalf("%s: %v", job, got)
		}
	}
	if got := awaitLines(t, order, len(want)); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("ran as %v, submitted as %v", got, want)
	}
	out := d.must("jobs", "list", "--format", "json")
	if !strings.Contains(out, "order_0") || !strings.Contains(out, "order_5") {
		t.Errorf("jobs list: %s", out)
	}
}
