package runtimes

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	lockSuffix = ".lock"
	// layerFile makes the environment see the runtime's packages, after its
	// own. A plain path in a .pth file would leave out the .pth files there.
	layerFile = "_runtime.pth"
)

// BuildMain is the hidden command build-environment: it builds the environment
// that specFile describes and gives the exit status. It writes to standard
// output and error, which the supervisor keeps.
func BuildMain(ctx context.Context, specFile string) int {
	err := func() error {
		b, err := os.ReadFile(specFile)
		if err != nil {
			return err
		}
		var spec EnvironmentSpec
		if err := json.Unmarshal(b, &spec); err != nil {
			return fmt.Errorf("read %s: %w", specFile, err)
		}
		return BuildEnvironment(ctx, spec, os.Stdout, os.Stderr)
	}()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		// The tool has said why.
		return 1
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ERROR:", err)
		return 1
	}
	return 0
}

// BuildEnvironment makes an environment, unless it is complete. Several
// processes may build the same one: the first does it, the others wait for it.
func BuildEnvironment(ctx context.Context, spec EnvironmentSpec, stdout, stderr io.Writer) error {
	unlock, err := lock(spec.Dir + lockSuffix)
	if err != nil {
		return err
	}
	defer unlock()
	if e, err := readEnvironment(spec.Dir); err != nil || e != nil {
		return err
	}
	if err := clearFolder(spec.Dir); err != nil {
		return fmt.Errorf("clear the environment: %w", err)
	}
	tool := func(args ...string) error {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		return cmd.Run()
	}
	if err := tool(spec.Runtime.Interpreter(), "-m", "venv", "--without-pip", spec.Dir); err != nil {
		return err
	}
	if _, err := layer(spec.Dir, spec.Runtime); err != nil {
		return err
	}
	packages, done, err := spec.buildWheels(tool)
	defer done()
	if err != nil {
		return err
	}
	args, err := spec.pipArgs(packages)
	if err != nil {
		return err
	}
	if err := tool(args...); err != nil {
		return err
	}
	if err := syncAll(spec.Dir); err != nil {
		return fmt.Errorf("write the environment to disk: %w", err)
	}
	return publish(filepath.Join(spec.Dir, environmentFile), spec.record())
}

// clearFolder makes an empty folder of dir, which stays if it is there: the
// installer may be kept to it.
func clearFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(dir, 0o755)
	}
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// layer puts a runtime's packages behind those of the virtual environment dir,
// and gives the folder of these.
func layer(dir string, below *Runtime) (site string, err error) {
	sites, err := filepath.Glob(filepath.Join(dir, "lib", "python*", "site-packages"))
	if err != nil || len(sites) != 1 {
		return "", fmt.Errorf("the environment has no folder for packages: %v, %v", sites, err)
	}
	line := fmt.Sprintf("import site; site.addsitedir(%q)\n", below.SitePackages)
	return sites[0], os.WriteFile(filepath.Join(sites[0], layerFile), []byte(line), 0o644)
}

// buildWheels builds the packages that want a build backend of their own, which
// pip fetches and keeps apart, and gives the list of packages with these wheels
// in their places. The others are built with the runtime's setuptools: without
// a network too, and sooner. done removes what was built.
func (s EnvironmentSpec) buildWheels(tool func(...string) error) (packages []string, done func(), err error) {
	dir, err := os.MkdirTemp("", "wheels-")
	if err != nil {
		return nil, func() {}, err
	}
	done = func() { _ = os.RemoveAll(dir) }
	for i, p := range s.Packages {
		own, err := needsBackend(p)
		if err != nil {
			return nil, done, fmt.Errorf("read package: %w", err)
		}
		if !own {
			packages = append(packages, p)
			continue
		}
		wheels := filepath.Join(dir, strconv.Itoa(i))
		args := append(s.pip("wheel"), "--no-deps", "--wheel-dir", wheels)
		if err := tool(append(append(args, s.source()...), p)...); err != nil {
			return nil, done, err
		}
		built, err := filepath.Glob(filepath.Join(wheels, "*.whl"))
		if err != nil || len(built) != 1 {
			return nil, done, fmt.Errorf("build %s: %d wheels came of it, %w", filepath.Base(p), len(built), err)
		}
		packages = append(packages, built[0])
	}
	return packages, done, nil
}

// pip is the beginning of a command line of the runtime's pip for this
// environment.
func (s EnvironmentSpec) pip(command string) []string {
	return []string{
		s.Runtime.Interpreter(), "-m", "pip", "--python", filepath.Join(s.Dir, "bin", "python"), command,
		"--no-input", "--disable-pip-version-check", "--progress-bar", "off",
	}
}

// pipArgs is the command line that installs packages. What the runtime has, they
// must get on with: a second NumPy under the runtime's TensorFlow would crash
// it.
func (s EnvironmentSpec) pipArgs(packages []string) ([]string, error) {
	args := append(s.pip("install"), "--no-warn-script-location", "--no-build-isolation", "--prefer-binary")
	constraints := filepath.Join(s.Runtime.Dir, constraintsFile)
	if _, err := os.Stat(constraints); err == nil {
		args = append(args, "--constraint", constraints)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	args = append(args, s.source()...)
	for _, p := range packages {
		// pip keeps wheels that it built by address; the hash in it keeps it
		// from taking one of other contents for ours.
		sum, err := fileSum(p)
		if err != nil {
			return nil, fmt.Errorf("read package: %w", err)
		}
		u := url.URL{Scheme: "file", Path: p, Fragment: "sha256=" + hex.EncodeToString(sum)}
		args = append(args, u.String())
	}
	return args, nil
}

// source says where pip finds what the packages need.
func (s EnvironmentSpec) source() []string {
	switch {
	case s.Wheelhouse != "":
		return []string{"--no-index", "--find-links", s.Wheelhouse}
	case s.Index != "":
		return []string{"--index-url", s.Index}
	}
	return nil
}

// lock waits for the exclusive lock on a file, which is made if missing. It
// makes sure that the file is still the one that others will find.
func lock(path string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, fmt.Errorf("lock the environment: %w", err)
		}
		if err := flock(f); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock the environment: %w", err)
		}
		held, err := f.Stat()
		if err == nil {
			var now os.FileInfo
			if now, err = os.Stat(path); err == nil && os.SameFile(held, now) {
				return func() { f.Close() }, nil
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("lock the environment: %w", err)
		}
	}
}

func flock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			return err
		}
	}
}

// fewFiles is up to how many files are quicker written to disk one by one than
// by waiting for all that any program has written to the file system.
const fewFiles = 256

// syncAll writes everything under dir to disk.
func syncAll(dir string) error {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (d.IsDir() || d.Type().IsRegular()) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(paths) > fewFiles {
		return syncFile(dir, func(f *os.File) error { return unix.Syncfs(int(f.Fd())) })
	}
	for _, path := range paths {
		if err := syncFile(path, (*os.File).Sync); err != nil {
			return err
		}
	}
	return nil
}

func syncFile(path string, sync func(*os.File) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return sync(f)
}
