package runtimes

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func sdist(t *testing.T, at time.Time, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.ModTime = at
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), ModTime: at, Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(files[i+1]))
	}
	w.Close()
	z.Close()
	path := filepath.Join(t.TempDir(), "trainer-0.1.tar.gz")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKey(t *testing.T) {
	r := &Runtime{ID: "A"}
	key := func(r *Runtime, packages ...string) string {
		k, err := Key(r, packages)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	now := time.Now()
	a := sdist(t, now, "setup.py", "1", "trainer/task.py", "2")
	other := sdist(t, now, "setup.py", "1", "trainer/task.py", "3")
	base := key(r, a)
	t.Run("packed again", func(t *testing.T) {
		if got := key(r, sdist(t, now.Add(time.Hour), "trainer/task.py", "2", "setup.py", "1")); got != base {
			t.Error("packing the same files again gives another key")
		}
	})
	for name, got := range map[string]string{
		"other contents":  key(r, other),
		"moved bytes":     key(r, sdist(t, now, "setup.py", "12", "trainer/task.py", "")),
		"other name":      key(r, sdist(t, now, "setup.py", "1", "trainer/main.py", "2")),
		"other runtime":   key(&Runtime{ID: "B"}, a),
		"another package": key(r, a, other),
	} {
		if got == base {
			t.Errorf("%s: the same key", name)
		}
	}
	if key(r, a, other) == key(r, other, a) {
		t.Error("the order does not count")
	}
	if _, err := Key(r, []string{"/nonexistent.tar.gz"}); err == nil {
		t.Error("a missing package has a key")
	}
}

func TestProgressParser(t *testing.T) {
	var got []Progress
	p := progressParser{report: func(p Progress) { got = append(got, p) }}
	for _, line := range []string{
		"Collecting tensorflow==2.21.0",
		"  Downloading tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl.metadata (4.4 kB)",
		"Downloading tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl (620.6 MB)",
		"Progress 262144 of 650750000",
		"Using cached absl_py-2.3.1-py3-none-any.whl (135 kB)",
		"Progress what of it",
		"Requirement already satisfied: setuptools",
		"Installing collected packages: absl-py, tensorflow",
	} {
		p.line(line)
	}
	want := []Progress{
		{Phase: PhaseDownload, Message: "Collecting tensorflow==2.21.0"},
		{Phase: PhaseDownload, Package: "tensorflow", Message: "Downloading tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl (620.6 MB)"},
		{Phase: PhaseDownload, Package: "tensorflow", DoneBytes: 262144, TotalBytes: 650750000},
		{Phase: PhaseDownload, Package: "absl-py", Message: "Using cached absl_py-2.3.1-py3-none-any.whl (135 kB)"},
		{Phase: PhaseInstall, Message: "unpacking the packages"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestPipReportsBytes(t *testing.T) {
	for version, want := range map[string]bool{
		"pip 23.0.1 from /x (python 3.11)": false, "pip 24.0 from /x": false, "pip 24.1 from /x": true,
		"pip 26.0.1 from /x": true, "what": false,
	} {
		if got := pipReportsBytes(version); got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}
