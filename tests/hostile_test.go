package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hostile is a trainer that does what its first argument says.
const hostile = `
import os, signal, subprocess, sys, time
what, rest = sys.argv[1], sys.argv[2:]
def attempt(name, f):
    try:
        print(name, "DONE", f(), flush=True)
    except Exception as e:
        print(name, "refused:", type(e).__name__, flush=True)
if what == "fork bomb":
    children = 0
    while True:
        try:
            if os.fork() == 0:
                time.sleep(3600)
            children += 1
        except OSError:
            print("no more than", children, "children", flush=True)
            sys.exit("the forks are used up")
if what == "memory":
    held = []
    while True:
        held.append(b"x" * (8 << 20))
if what == "disk":
    with open("fill", "wb") as f:
        while True:
            f.write(b"x" * (4 << 20))
            f.flush()
if what == "log":
    line = "x" * 99 + "\n"
    for _ in range(500):
        sys.stdout.write(line * 1000)
    print("the end of the flood", flush=True)
if what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for way in ("fork", "setsid", "double fork"):
        if os.fork() == 0:
            if way != "fork":
                os.setsid()
            if way == "double fork" and os.fork() != 0:
                os._exit(0)
            time.sleep(3600)
    print("stubborn is up", flush=True)
    time.sleep(3600)
if what == "spy":
    data = rest[0]
    for path in rest[1:]:
        attempt("read " + os.path.basename(path), lambda: open(path, "rb").read(10))
    attempt("list attempts", lambda: os.listdir(os.path.join(data, "attempts")))
    attempt("list objects", lambda: os.listdir(os.path.join(data, "objects")))
    attempt("environ of the daemon", lambda: open("/proc/%s/environ" % os.environ["SPY_DAEMON"]).read(10) if "SPY_DAEMON" in os.environ else open("/proc/1/environ").read(10))
if what == "vandal":
    data = rest[0]
    for path in (data + "/hearth.db", data + "/vandal", sys.prefix + "/vandal", "/etc/vandal", "/usr/vandal"):
        attempt("write " + path, lambda: open(path, "ab").write(b"x"))
    attempt("delete", lambda: os.remove(data + "/owner.token"))
    attempt("kill", lambda: os.kill(int(rest[1]), signal.SIGKILL))
    attempt("own", lambda: open("own", "w").write("x"))
    attempt("temp", lambda: open(os.environ["TMPDIR"] + "/x", "w").write("x"))
`

// TestHostile runs trainers that mean harm, each beside a version that is asked
// all the while, and says at which level the host could contain them.
func TestHostile(t *testing.T) {
	d := prepareDaemon(t, `pids_limit = 200`, `memory_limit = "400MiB"`, `disk_limit = "300MiB"`, `log_limit = "8MiB"`, `[sandbox]`, `enabled = true`)
	d.reachableRuntime("test")
	d.start()
	d.waitReady()
	_, status := d.call("GET", "/hearth/v1/status", "")
	isolation, _ := json.Marshal(status["isolation"])
	t.Logf("isolation: %s", isolation)
	files := strings.Contains(string(isolation), "kept to its own by landlock")
	d.model("half", "half_plus_two")
	d.keepPredicting(t, "half")
	uri := d.upload(trainer(t, hostile), "hostile")
	run := func(job string, args ...string) (map[string]any, string) {
		t.Helper()
		d.submit(job, uri, args...)
		log, _ := d.hearth("jobs", "stream-logs", job) // its status says how the job ended
		return d.wait(job), log
	}
	failsWith := func(t *testing.T, job map[string]any, want string) {
		t.Helper()
		if message, _ := job["errorMessage"].(string); job["state"] != "FAILED" || !strings.Contains(message, want) {
			t.Errorf("the job is %v: %v, want %q", job["state"], message, want)
		}
	}
	t.Run("fork bomb", func(t *testing.T) {
		if !strings.Contains(string(isolation), "number of processes: kept by the kernel") {
			t.Skip("this host keeps no limit on processes")
		}
		job, _ := run("forks", "fork bomb")
		failsWith(t, job, "the forks are used up")
	})
	t.Run("memory hog", func(t *testing.T) {
		job, _ := run("memory", "memory")
		failsWith(t, job, "ran out of memory (limit 0.4 GiB)")
	})
	t.Run("disk filler", func(t *testing.T) {
		job, _ := run("disk", "disk")
		failsWith(t, job, "its files took more than their limit of 300.0 MiB")
	})
	t.Run("log flood", func(t *testing.T) {
		job, log := run("flood", "log")
		if job["state"] != "SUCCEEDED" || !strings.Contains(log, "the end of the flood") {
			t.Errorf("the job is %v: %v", job["state"], job["errorMessage"])
		}
		kept := allocated(t, filepath.Join(d.data, "attempts", "hearth.flood.1", "master-replica-0", "stdout.log"))
		if kept > 6<<20 {
			t.Errorf("%d MiB of the flood are kept", kept>>20)
		}
	})
	t.Run("does not end", func(t *testing.T) {
		d.submit("stubborn", uri, "stubborn")
		awaitLines(t, filepath.Join(d.data, "attempts", "hearth.stubborn.1", "master-replica-0", "stdout.log"), len(strings.Fields("stubborn is up")))
		d.must("jobs", "cancel", "stubborn")
		if job := d.wait("stubborn"); job["state"] != "CANCELLED" {
			t.Errorf("the job is %v", job["state"])
		}
		d.checkNoTrainerLeft()
	})
	t.Run("spy", func(t *testing.T) {
		if !files {
			t.Skip("this host cannot keep jobs to their own files")
		}
		secrets := []string{
			filepath.Join(d.data, "owner.token"), filepath.Join(d.data, "hearth.db"), filepath.Join(d.data, "jobs.key"),
			filepath.Join(d.data, "tls", "ca.key"), filepath.Join(d.data, "attempts", "hearth.flood.1", "master-replica-0", "stdout.log"),
		}
		_, log := run("spy", append([]string{"spy", d.data}, secrets...)...)
		if strings.Contains(log, "DONE") || strings.Count(log, "refused:") != len(secrets)+3 {
			t.Errorf("the spy saw:\n%s", log)
		}
	})
	t.Run("vandal", func(t *testing.T) {
		if !files {
			t.Skip("this host cannot keep jobs to their own files")
		}
		_, log := run("vandal", "vandal", d.data, fmt.Sprint(d.cmd.Process.Pid))
		for line := range strings.Lines(log) {
			if strings.Contains(line, "Isolation:") {
				t.Log(strings.TrimSpace(line))
			}
		}
		if strings.Count(log, "DONE") != 2 || !strings.Contains(log, "own DONE") || !strings.Contains(log, "temp DONE") {
			t.Errorf("the vandal did:\n%s", log)
		}
	})
	d.checkHalf("half")
}

// reachableRuntime makes a runtime without TensorFlow of the system's Python,
// where there is one, in a folder that every user can reach, so that jobs can
// run as users of their own. Otherwise the tests' plain one stays.
func (d *daemon) reachableRuntime(name string) {
	d.t.Helper()
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import venv, ensurepip").Run() != nil || os.Geteuid() != 0 {
		return
	}
	dir := filepath.Join(d.data, "runtimes", name)
	from, err := filepath.EvalSymlinks(dir)
	check(d.t, err)
	b, err := os.ReadFile(filepath.Join(from, "runtime.json"))
	check(d.t, err)
	var record map[string]any
	check(d.t, json.Unmarshal(b, &record))
	check(d.t, os.Remove(dir))
	out, err := exec.Command(python, "-m", "venv", dir).CombinedOutput()
	if err != nil {
		d.t.Fatalf("make a venv: %v\n%s", err, out)
	}
	out, err = exec.Command(filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "setuptools", "wheel").CombinedOutput()
	if err != nil {
		d.t.Fatalf("install setuptools: %v\n%s", err, out)
	}
	site, err := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages"))
	check(d.t, err)
	record["dir"], record["sitePackages"], record["id"], record["tensorflowDir"] = dir, site[0], "reachable", filepath.Join(site[0], "tensorflow")
	b, err = json.Marshal(record)
	check(d.t, err)
	check(d.t, os.WriteFile(filepath.Join(dir, "runtime.json"), b, 0o644))
	for at := dir; at != "/" && at != os.TempDir(); at = filepath.Dir(at) {
		check(d.t, os.Chmod(at, 0o755))
	}
}

// allocated is what a file takes on the disk, in bytes.
func allocated(t testing.TB, path string) int64 {
	t.Helper()
	out, err := exec.Command("stat", "-c", "%b", path).Output()
	check(t, err)
	var blocks int64
	_, err = fmt.Sscan(string(out), &blocks)
	check(t, err)
	return blocks * 512
}
