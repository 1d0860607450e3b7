package runtimes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hearth/ml"
)

const (
	recordFile      = "runtime.json"
	constraintsFile = "constraints.txt"
)

// Runtime is an installed runtime, as its runtime.json has it.
type Runtime struct {
	Name string `json:"name"`
	// ID is new with each install, so that environments of an older one are
	// not taken for this one's.
	ID string `json:"id"`
	// Base is the runtime that this one is layered on, empty for none.
	Base string `json:"base,omitempty"`
	// TensorFlow and Python are full versions, such as 2.21.0 and 3.11.2.
	TensorFlow string `json:"tensorflow"`
	Python     string `json:"python"`
	// Dir is the virtual environment, SitePackages where its packages are, and
	// TensorFlowDir the package that holds TensorFlow's libraries.
	Dir           string `json:"dir"`
	SitePackages  string `json:"sitePackages"`
	TensorFlowDir string `json:"tensorflowDir"`
	SizeBytes     int64  `json:"sizeBytes"`
	// Environment holds variables that every job on the runtime gets.
	Environment map[string]string `json:"environment,omitempty"`
	Installed   ml.Timestamp      `json:"installed,omitzero"`
}

// Interpreter gives the path of the runtime's own Python.
func (r *Runtime) Interpreter() string { return filepath.Join(r.Dir, "bin", "python") }

// cudaLibraries are where CUDA's libraries are beside those of the wheels.
var cudaLibraries = []string{"/usr/local/cuda*/lib64/libcudart.so*", "/usr/lib/x86_64-linux-gnu/libcudart.so*"}

// CheckCUDA says what to do if the runtime's TensorFlow does not find the
// libraries without which it uses no GPU, a FAILED_PRECONDITION.
func (r *Runtime) CheckCUDA() error {
	for _, pattern := range append([]string{filepath.Join(filepath.Dir(r.TensorFlowDir), "nvidia", "cu*")}, cudaLibraries...) {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return nil
		}
	}
	return ml.Errorf(ml.FailedPrecondition, "runtime %s has no CUDA libraries: it was installed where there was no GPU. Install it again: hearth runtimes remove %s, then hearth runtimes install %s.", r.Name, r.Name, r.Name)
}

// Folders are what a program on the runtime reads: the runtime, the one below it
// and the Python that they were made with.
func (r *Runtime) Folders() []string {
	folders := []string{r.Dir}
	if lib, ok := strings.CutSuffix(r.TensorFlowDir, "/site-packages/tensorflow"); ok {
		folders = append(folders, filepath.Dir(filepath.Dir(lib)))
	}
	if python, err := filepath.EvalSymlinks(r.Interpreter()); err == nil {
		folders = append(folders, filepath.Dir(filepath.Dir(python)))
	}
	return folders
}

// CheckPython reports whether a request for a Python version, such as "3.11",
// can be met; field is the JSON path to blame.
func (r *Runtime) CheckPython(field, version string) error {
	if version == "" || r.Python == version || strings.HasPrefix(r.Python, version+".") {
		return nil
	}
	return ml.FieldErrorf(field, "Runtime %s has Python %s, not %s; leave the Python version out to take what the runtime has.", r.Name, r.Python, version)
}

// readRuntime reads the record in dir. An install that is not complete, or was
// moved here from elsewhere, is an error.
func readRuntime(dir string) (*Runtime, error) {
	b, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err != nil {
		return nil, err
	}
	var r Runtime
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, recordFile), err)
	}
	if !samePlace(r.Dir, dir) {
		return nil, fmt.Errorf("runtime %s was installed in %s and cannot be used in %s", r.Name, r.Dir, dir)
	}
	if _, err := os.Stat(r.Interpreter()); err != nil {
		return nil, fmt.Errorf("runtime %s has lost its Python: %w", r.Name, err)
	}
	return &r, nil
}

// samePlace reports whether two paths lead to one folder: a runtime may be
// reached through a link, to another disk for example.
func samePlace(a, b string) bool {
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ia, ib)
}
