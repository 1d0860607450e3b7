package runtimes

import (
	"archive/tar"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"

	"hearth/ml"
)

// manifestFile is the first file of an archive, wheelsFolder where its wheels
// are.
const (
	manifestFile = "runtime.json"
	wheelsFolder = "wheels/"
)

// manifest says what an archive holds.
type manifest struct {
	// Name is the runtime's; those below it come with it.
	Name       string `json:"name"`
	TensorFlow string `json:"tensorflow"`
	// Python is the minor version that the wheels are for, such as 3.11, and
	// Platform the machine, such as linux/amd64.
	Python   string `json:"python"`
	Platform string `json:"platform"`
	// Wheels are the files with the SHA-256 of their contents in hexadecimal.
	Wheels map[string]string `json:"wheels"`
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// minorVersion cuts a version of Python down to 3.x.
func minorVersion(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// Export writes a runtime with all its wheels to a tar file, from which Import
// makes it on a machine without a network. The wheels come from the index, or
// from the store's wheelhouse. INVALID_ARGUMENT if there is no such runtime,
// FAILED_PRECONDITION if a wheel cannot be had.
func (s *Store) Export(ctx context.Context, name, file string, progress func(Progress)) error {
	r, err := s.Get(name)
	if err != nil {
		return err
	}
	dir, err := s.scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := s.gather(ctx, r, dir, progress); err != nil {
		return err
	}
	m := manifest{Name: r.Name, TensorFlow: r.TensorFlow, Python: minorVersion(r.Python), Platform: platform(), Wheels: map[string]string{}}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil {
		return err
	}
	for _, w := range wheels {
		sum, err := fileSum(w)
		if err != nil {
			return fmt.Errorf("read a wheel: %w", err)
		}
		m.Wheels[filepath.Base(w)] = hex.EncodeToString(sum)
	}
	progress(Progress{Phase: PhaseInstall, Message: "writing " + file})
	return writeArchive(file, m, dir)
}

// scratch makes a folder for wheels on their way.
func (s *Store) scratch() (string, error) {
	dir, err := os.MkdirTemp(filepath.Dir(s.o.Dir), ".wheels-")
	if err != nil {
		return "", fmt.Errorf("make a folder for wheels: %w", err)
	}
	return dir, nil
}

// gather puts a wheel of everything that the runtime has into a folder, and
// what builds trainers' packages.
func (s *Store) gather(ctx context.Context, r *Runtime, dir string, progress func(Progress)) error {
	parse := progressParser{report: progress}
	spec := EnvironmentSpec{Runtime: r, Index: s.o.Index, Wheelhouse: s.o.Wheelhouse}
	args := []string{
		r.Interpreter(), "-m", "pip", "wheel", "--no-input", "--disable-pip-version-check", "--progress-bar", "off",
		"--no-deps", "--prefer-binary", "--wheel-dir", dir, "--requirement", filepath.Join(r.Dir, constraintsFile), "pip", "setuptools", "wheel",
	}
	out, err := runTool(ctx, append(args, spec.source()...), parse.line)
	if err != nil && ctx.Err() == nil {
		return &ml.Error{Kind: ml.FailedPrecondition, Message: "The runtime's wheels cannot be gathered: " + errorLines(out), Err: err}
	}
	return err
}

// writeArchive makes the file in one step.
func writeArchive(file string, m manifest, dir string) error {
	out, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return ml.FieldErrorf("file", "%s cannot be written: %s.", file, err)
	}
	defer os.Remove(out.Name())
	w := tar.NewWriter(out)
	head, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = addFile(w, manifestFile, int64(len(head)), strings.NewReader(string(head)))
	}
	names := make([]string, 0, len(m.Wheels))
	for name := range m.Wheels {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err == nil {
			err = addWheel(w, filepath.Join(dir, name))
		}
	}
	err = errors.Join(err, w.Close(), out.Chmod(0o644), out.Sync(), out.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.Rename(out.Name(), file)
}

func addWheel(w *tar.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return addFile(w, wheelsFolder+filepath.Base(path), st.Size(), f)
}

func addFile(w *tar.Writer, name string, size int64, content io.Reader) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}

// Import makes the runtime of an archive that Export has written, from its
// wheels and nothing else. python is the interpreter to use, empty to look for
// one of the version that the wheels are for. INVALID_ARGUMENT if the file is no
// such archive, is damaged, or is for another kind of machine.
func (s *Store) Import(ctx context.Context, file, python string, progress func(Progress)) (*Runtime, error) {
	dir, err := s.scratch()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	progress(Progress{Phase: PhasePrepare, Message: "unpacking " + file})
	m, err := readArchive(ctx, file, dir)
	if err != nil {
		return nil, err
	}
	if python == "" {
		python = s.o.Python
		if v, err := pythonVersion(ctx, python); err != nil || fmt.Sprintf("%d.%d", v[0], v[1]) != m.Python {
			python = m.Python
		}
	}
	return s.Install(ctx, m.Name, InstallOptions{Wheelhouse: dir, Python: python}, progress)
}

// readArchive unpacks the wheels of an archive and checks them.
func readArchive(ctx context.Context, file, dir string) (m manifest, err error) {
	in, err := os.Open(file)
	if err != nil {
		return m, ml.FieldErrorf("file", "%s cannot be read on the daemon's machine: %s.", file, err)
	}
	defer in.Close()
	bad := func(format string, args ...any) error {
		return ml.FieldErrorf("file", "%s is no runtime that was exported: %s.", file, fmt.Sprintf(format, args...))
	}
	r := tar.NewReader(in)
	head, err := r.Next()
	if err != nil || head.Name != manifestFile || json.NewDecoder(io.LimitReader(r, maxProject)).Decode(&m) != nil {
		return m, bad("it does not begin with %s", manifestFile)
	}
	if m.Platform != platform() {
		return m, ml.FieldErrorf("file", "The runtime in %s is for %s, and this machine is %s.", file, m.Platform, platform())
	}
	found := 0
	for ctx.Err() == nil {
		entry, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return m, bad("it ends too early: %s", err)
		}
		name, isWheel := strings.CutPrefix(entry.Name, wheelsFolder)
		sum, listed := m.Wheels[name]
		if !isWheel || !listed || name != filepath.Base(name) {
			return m, bad("it holds %q", entry.Name)
		}
		err = unpack(r, filepath.Join(dir, name))
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return m, bad("it ends within %s", name)
		}
		if err != nil {
			return m, err
		}
		if got, err := fileSum(filepath.Join(dir, name)); err != nil || hex.EncodeToString(got) != sum {
			return m, bad("%s is damaged", name)
		}
		found++
	}
	if found != len(m.Wheels) && ctx.Err() == nil {
		return m, bad("it has %d of %d wheels", found, len(m.Wheels))
	}
	return m, ctx.Err()
}

func unpack(r io.Reader, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("unpack a wheel: %w", err)
	}
	_, err = io.Copy(f, r)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("unpack a wheel: %w", err)
	}
	return nil
}
