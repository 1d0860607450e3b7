package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// client is a program or the text of one below clients/.
func client(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("clients", name))
	check(t, err)
	return path
}

// runPieces runs a script that ends well only if all its pieces passed, and
// logs how long each took.
func (d *daemon) runPieces(t *testing.T, script string) {
	t.Helper()
	out, err := d.script(script)
	if err != nil || !strings.Contains(out, "passed") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(out)
}

// TensorFlow inside a job: one trainer asks everything, since each start of
// TensorFlow takes seconds.
func TestTensorFlow_WholeFileSystem(t *testing.T) {
	task, err := os.ReadFile(client(t, "tensorflow.py"))
	check(t, err)
	pieces, err := os.ReadFile(client(t, "pieces.py"))
	check(t, err)
	archive := sdist(t, map[string]string{
		"setup.py":            "from setuptools import setup\nsetup(name='trainer', version='1.0', packages=['trainer'])\n",
		"trainer/__init__.py": "",
		"trainer/pieces.py":   string(pieces),
		"trainer/task.py":     string(task),
	})
	onBackends(t, func(t *testing.T, b *backend) {
		d := newDaemonOn(t, b)
		d.must("storage", "buckets", "create", "gs://tensorflow")
		uri := d.upload(archive, "tensorflow")
		if status, got := d.submitRaw("tensorflow_1", uri, "2.21"); status != 200 {
			t.Fatalf("submit: %d %v", status, got)
		}
		out, err := d.hearth("jobs", "stream-logs", "tensorflow_1")
		if err != nil || !strings.Contains(out, "passed") {
			t.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(out) {
			if _, piece, ok := strings.Cut(line, "\tok "); ok {
				t.Log(strings.TrimSpace(piece))
			}
		}
	})
}

func TestPython_WholeStorageClient(t *testing.T) {
	fromEnv(t, "HEARTH_TEST_CLIENTS")
	onBackends(t, func(t *testing.T, b *backend) {
		d := newDaemonOn(t, b)
		d.must("storage", "buckets", "create", "gs://python")
		d.runPieces(t, `hearth exec -- "$CLIENTS/bin/python" `+client(t, "storage.py"))
	})
}

func TestPython_FullDisk(t *testing.T) {
	fromEnv(t, "HEARTH_TEST_CLIENTS")
	d := newDaemon(t)
	d.must("storage", "buckets", "create", "gs://python")
	d.kill()
	d.configure(&backend{name: "local", reserve: "1000TiB"})
	d.restart()
	d.runPieces(t, `hearth exec -- "$CLIENTS/bin/python" `+client(t, "storage.py")+` full_disk`)
}

func TestPython_GcsfsAndPandas(t *testing.T) {
	fromEnv(t, "HEARTH_TEST_CLIENTS")
	onBackends(t, func(t *testing.T, b *backend) {
		d := newDaemonOn(t, b)
		d.must("storage", "buckets", "create", "gs://gcsfs")
		d.runPieces(t, `hearth exec -- "$CLIENTS/bin/python" `+client(t, "gcsfs_pandas.py"))
	})
}

func TestGo_WholeStorageClient(t *testing.T) {
	program := fromEnv(t, "HEARTH_TEST_GOSTORAGE")
	onBackends(t, func(t *testing.T, b *backend) {
		d := newDaemonOn(t, b)
		d.must("storage", "buckets", "create", "gs://gostorage")
		d.runPieces(t, `hearth exec -- `+program)
	})
}

func TestGcloud_WholeStorage(t *testing.T) {
	shellPieces(t, "gcloud", "files", "large", "folders", "buckets")
}

func TestGsutil_WholeStorage(t *testing.T) {
	pieces := []string{"files", "buckets"}
	if long() {
		pieces = append(pieces, "folders")
	}
	shellPieces(t, "gsutil", pieces...)
}

// shellPieces runs the functions of clients/TOOL.sh, side by side: most of
// their time is the tool's start.
func shellPieces(t *testing.T, tool string, pieces ...string) {
	if _, err := exec.LookPath(tool); err != nil {
		t.Skip(tool + " is not installed")
	}
	onBackends(t, func(t *testing.T, b *backend) {
		d := newDaemonOn(t, b)
		d.must("storage", "buckets", "create", "gs://shell")
		for _, piece := range pieces {
			t.Run(piece, func(t *testing.T) {
				t.Parallel()
				out, err := d.script(`settings=$(hearth env --for ` + tool + `); eval "$settings"; bash ` + client(t, tool+".sh") + ` ` + piece)
				if err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	})
}
