// Package wheeltest makes Python wheels and runtimes for tests, without a
// network and in a fraction of the time that TensorFlow takes.
package wheeltest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Wheel is a pure Python package.
type Wheel struct {
	Name, Version string
	// Files are the package's modules by path, such as trainer/task.py.
	Files map[string]string
	// Requires are the names of packages that it needs.
	Requires []string
}

// File gives the name that the wheel must have.
func (w Wheel) File() string {
	return fmt.Sprintf("%s-%s-py3-none-any.whl", w.Name, w.Version)
}

// Bytes gives the archive.
func (w Wheel) Bytes() []byte {
	info := fmt.Sprintf("%s-%s.dist-info/", w.Name, w.Version)
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", w.Name, w.Version)
	for _, r := range w.Requires {
		metadata += "Requires-Dist: " + r + "\n"
	}
	files := maps.Clone(w.Files)
	files[info+"METADATA"] = metadata
	files[info+"WHEEL"] = "Wheel-Version: 1.0\nGenerator: wheeltest\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
	names := slices.Sorted(maps.Keys(files))
	var record strings.Builder
	for _, name := range append(names, info+"RECORD") {
		fmt.Fprintf(&record, "%s,,\n", name)
	}
	files[info+"RECORD"] = record.String()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range append(names, info+"RECORD") {
		f, err := z.Create(name)
		if err == nil {
			_, err = f.Write([]byte(files[name]))
		}
		if err != nil {
			panic(err) // A buffer takes everything.
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Write puts the wheel into a folder and gives its path.
func (w Wheel) Write(dir string) (string, error) {
	path := filepath.Join(dir, w.File())
	return path, os.WriteFile(path, w.Bytes(), 0o644)
}

// Trainer is a package trainer with the module trainer.task.
func Trainer(task string) Wheel {
	return Wheel{Name: "trainer", Version: "0.1", Files: map[string]string{"trainer/__init__.py": "", "trainer/task.py": task}}
}

// TensorFlow stands where TensorFlow would be: a runtime made with it starts
// Python programs that do not use TensorFlow.
func TensorFlow(version string) Wheel {
	return Wheel{Name: "tensorflow", Version: version, Files: map[string]string{
		"tensorflow/__init__.py": fmt.Sprintf("__version__ = %q\n", version),
	}}
}
