package tests

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockedBuffer collects a daemon's log while a test may print it.
type lockedBuffer struct {
	mu    sync.Mutex
	lines []string
}

func (b *lockedBuffer) add(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}

var plainOnce sync.Mutex

// plainRuntime gives a runtime without TensorFlow, for trainers that need
// none: a venv beside the tests' real runtime, made once.
func plainRuntime(t testing.TB, runtimes string) string {
	t.Helper()
	plainOnce.Lock()
	defer plainOnce.Unlock()
	dir := filepath.Join(runtimes, "plain")
	declaration := filepath.Join(dir, "runtime.json")
	if _, err := os.Stat(declaration); err == nil {
		return dir
	}
	var real map[string]any
	b, err := os.ReadFile(filepath.Join(runtimes, "2.21", "runtime.json"))
	check(t, err)
	check(t, json.Unmarshal(b, &real))
	out, err := exec.Command("python3", "-m", "venv", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("make a venv: %v\n%s", err, out)
	}
	out, err = exec.Command(filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "setuptools", "wheel").CombinedOutput()
	if err != nil {
		t.Fatalf("install setuptools: %v\n%s", err, out)
	}
	site, err := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages"))
	check(t, err)
	real["name"], real["id"], real["dir"], real["sitePackages"] = "test", "plain", dir, site[0]
	check(t, os.WriteFile(filepath.Join(dir, "constraints.txt"), nil, 0o600))
	b, err = json.Marshal(real)
	check(t, err)
	check(t, os.WriteFile(declaration, b, 0o600))
	return dir
}

// trainer makes the archive of a package `trainer` whose task module is code.
func trainer(t testing.TB, code string, requires ...string) string {
	t.Helper()
	requirements, err := json.Marshal(requires)
	check(t, err)
	if requires == nil {
		requirements = []byte("[]")
	}
	return sdist(t, map[string]string{
		"setup.py":            "from setuptools import setup\nsetup(name='trainer', version='1.0', packages=['trainer'], install_requires=" + string(requirements) + ")\n",
		"trainer/__init__.py": "",
		"trainer/task.py":     code,
	})
}

func sdist(t testing.TB, files map[string]string) string {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	for name, text := range files {
		check(t, w.WriteHeader(&tar.Header{Name: "trainer-1.0/" + name, Mode: 0o644, Size: int64(len(text)), ModTime: time.Unix(1, 0)}))
		_, err := w.Write([]byte(text))
		check(t, err)
	}
	check(t, w.Close())
	check(t, z.Close())
	path := filepath.Join(t.TempDir(), "trainer-1.0.tar.gz")
	check(t, os.WriteFile(path, buf.Bytes(), 0o600))
	return path
}

// upload puts a trainer's archive into the bucket gs://jobs, made if absent.
func (d *daemon) upload(archive, name string) string {
	d.t.Helper()
	if status, _ := d.call("GET", "/storage/v1/b/jobs", ""); status == 404 {
		d.must("storage", "buckets", "create", "gs://jobs")
	}
	uri := "gs://jobs/" + name + ".tar.gz"
	d.must("storage", "cp", archive, uri)
	return uri
}

// submit starts a job of a trainer on the runtime without TensorFlow.
func (d *daemon) submit(job, uri string, args ...string) {
	d.t.Helper()
	status, got := d.submitRaw(job, uri, "test", args...)
	if status != 200 {
		d.t.Fatalf("submit %s: %d %v", job, status, got)
	}
}

func (d *daemon) submitRaw(job, uri, runtime string, args ...string) (int, map[string]any) {
	d.t.Helper()
	b, err := json.Marshal(map[string]any{"jobId": job, "trainingInput": map[string]any{
		"scaleTier": "BASIC", "packageUris": []string{uri}, "pythonModule": "trainer.task", "region": "here",
		"runtimeVersion": runtime, "args": args,
	}})
	check(d.t, err)
	return d.call("POST", "/v1/projects/hearth/jobs", string(b))
}

// wait blocks until the job is final, by following its log as a user would,
// and gives the job.
func (d *daemon) wait(job string) map[string]any {
	d.t.Helper()
	d.hearth("jobs", "stream-logs", job) // its status says how the job ended; the job below says it better
	status, got := d.call("GET", "/v1/projects/hearth/jobs/"+job, "")
	if status != 200 || got["endTime"] == nil {
		d.t.Fatalf("job %s after its log ended: %d %v", job, status, got)
	}
	return got
}

// model deploys a SavedModel of the tests, put to gs://models/SAVED/1, as MODEL/v1 and
// waits until it answers.
func (d *daemon) model(name, saved string) {
	d.t.Helper()
	d.deploy(name, filepath.Join(fromEnv(d.t, "HEARTH_TEST_MODELS"), saved, "1"), saved+"/1", "2.21")
}

// deploy deploys a SavedModel in a folder, put to a path of gs://models, as MODEL/v1
// and waits until it answers.
func (d *daemon) deploy(name, folder, path, runtime string) {
	d.t.Helper()
	if status, _ := d.call("GET", "/storage/v1/b/models", ""); status == 404 {
		d.must("storage", "buckets", "create", "gs://models")
	}
	d.must("storage", "cp", "-r", folder+"/", "gs://models/"+path+"/")
	d.must("models", "create", name, "--regions", "us-central1")
	d.must("versions", "create", "v1", "--model", name, "--origin", "gs://models/"+path, "--runtime-version", runtime)
}

// in gives the same daemon for a subtest.
func (d *daemon) in(t testing.TB) *daemon {
	return &daemon{t: t, data: d.data, addr: d.addr, token: d.token}
}
