package runtimes

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hearth/ml"
)

func TestStore_ExportImport(t *testing.T) {
	sharedStore(t)
	wheels := filepath.Join(shared.dir, "wheels")
	from := newStore(t, t.TempDir())
	from.o.Wheelhouse = wheels
	// What builds trainers' packages goes with each runtime.
	out, err := exec.Command("python3", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, "pip", "setuptools", "wheel").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r, err := from.Install(t.Context(), "2.21", InstallOptions{Wheelhouse: wheels}, func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "runtime.tar")
	if err := from.Export(t.Context(), "2.21", file, func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	to := newStore(t, t.TempDir())
	got, err := to.Import(t.Context(), file, "", func(Progress) {})
	if err != nil || got.Name != "2.21" || got.TensorFlow != r.TensorFlow || minorVersion(got.Python) != minorVersion(r.Python) {
		t.Fatalf("%+v, %v", got, err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"no archive":   []byte("hello"),
		"cut":          whole[:len(whole)/2],
		"damaged":      bytes.ReplaceAll(whole, []byte("METADATA"), []byte("METADATX")),
		"other system": bytes.Replace(whole, []byte(platform()), []byte("linux/arm99")[:len(platform())], 1),
	} {
		bad := filepath.Join(t.TempDir(), "bad.tar")
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		to := newStore(t, t.TempDir())
		if _, err := to.Import(t.Context(), bad, "", func(Progress) {}); ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", name, err)
		}
		if infos, _ := to.List(); len(infos) != 0 {
			t.Errorf("%s left %+v", name, infos)
		}
	}
	if err := from.Export(t.Context(), "2.21", "/nonexistent/r.tar", func(Progress) {}); ml.KindOf(err) != ml.InvalidArgument {
		t.Errorf("a file that cannot be written: %v", err)
	}
}
