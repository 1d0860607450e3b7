package runtimes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hearth/ml"
)

const environmentFile = "environment.json"

// Environment is a complete environment.
type Environment struct {
	Key string `json:"key"`
	// Dir is the virtual environment.
	Dir string `json:"dir"`
	// Runtime is the name of the runtime below it.
	Runtime string `json:"runtime"`
	// Packages are the file names of the archives that it was made from.
	Packages []string     `json:"packages"`
	Built    ml.Timestamp `json:"built,omitzero"`
}

// Interpreter gives the path of the environment's Python.
func (e *Environment) Interpreter() string { return filepath.Join(e.Dir, "bin", "python") }

// EnvironmentSpec is what build-environment reads: which environment to build
// and from what.
type EnvironmentSpec struct {
	Dir     string   `json:"dir"`
	Runtime *Runtime `json:"runtime"`
	// Packages are the paths of the archives, in the order of the request.
	Packages []string `json:"packages"`
	Index    string   `json:"index,omitempty"`
	// Wheelhouse is a folder of wheels to use instead of an index.
	Wheelhouse string `json:"wheelhouse,omitempty"`
}

// Environment finds the environment for a key, nil if it has not been built.
// It counts as a use of it: see Collect.
func (s *Store) Environment(key string) (*Environment, error) {
	dir := filepath.Join(s.o.Environments, key)
	e, err := readEnvironment(dir)
	if e != nil {
		now := time.Now()
		err = os.Chtimes(filepath.Join(dir, environmentFile), now, now)
	}
	return e, err
}

func readEnvironment(dir string) (*Environment, error) {
	b, err := os.ReadFile(filepath.Join(dir, environmentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	var e Environment
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, fmt.Errorf("read environment %s: %w", dir, err)
	}
	return &e, nil
}

// Spec says how to build the environment for a key.
func (s *Store) Spec(key string, r *Runtime, packages []string) EnvironmentSpec {
	return EnvironmentSpec{Dir: filepath.Join(s.o.Environments, key), Runtime: r, Packages: packages, Index: s.o.Index, Wheelhouse: s.o.Wheelhouse}
}

// BuildProcess gives the process that builds an environment. It writes the
// spec to specFile for it. Folder, limits and the like are the caller's. The
// process needs to read and write only what its Sandbox has, and what the caller
// adds: packages bring code that runs while they are built.
func (s *Store) BuildProcess(spec EnvironmentSpec, specFile string) (ml.Process, error) {
	if err := publish(specFile, spec); err != nil {
		return ml.Process{}, fmt.Errorf("write the environment's specification: %w", err)
	}
	lock := spec.Dir + lockSuffix
	f, err := os.OpenFile(lock, os.O_CREATE|os.O_RDWR, 0o644)
	if err == nil {
		err = errors.Join(f.Close(), os.MkdirAll(spec.Dir, 0o755))
	}
	if err != nil {
		return ml.Process{}, fmt.Errorf("make the environment's folder: %w", err)
	}
	reads := append(spec.Runtime.Folders(), specFile, filepath.Dir(specFile))
	for _, place := range []string{s.o.Wheelhouse, os.Getenv("PIP_FIND_LINKS"), configFolder(), executableFile(s.o.Executable)} {
		if place != "" {
			reads = append(reads, place)
		}
	}
	return ml.Process{
		Args: []string{s.o.Executable, "build-environment", specFile}, Env: append(installerEnv(), "PIP_NO_CACHE_DIR=1"),
		Sandbox: &ml.Sandbox{Read: reads, Write: []string{spec.Dir, lock}},
	}, nil
}

// configFolder is where the daemon's user has pip's configuration.
func configFolder() string {
	home, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, "pip")
}

// executableFile is the file behind a program, which may be a link of /proc.
func executableFile(program string) string {
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		return program
	}
	return real
}

// installerEnv is what of the daemon's environment an install may need: how
// this site's pip is configured, and how it reaches the network.
func installerEnv() []string {
	env := []string{"LANG=C.UTF-8", "PYTHONUNBUFFERED=1"}
	for _, kv := range toolEnv() {
		name, _, _ := strings.Cut(kv, "=")
		upper := strings.ToUpper(name)
		switch upper {
		case "PATH", "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "NETRC",
			"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
			"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR":
			env = append(env, kv)
		default:
			if strings.HasPrefix(upper, "PIP_") {
				env = append(env, kv)
			}
		}
	}
	return env
}

// removeEnvironments deletes the environments layered on a runtime.
func (s *Store) removeEnvironments(runtime string) error {
	entries, err := os.ReadDir(s.o.Environments)
	if err != nil {
		return fmt.Errorf("list environments: %w", err)
	}
	for _, entry := range entries {
		dir := filepath.Join(s.o.Environments, entry.Name())
		e, err := readEnvironment(dir)
		if err != nil || e == nil || e.Runtime != runtime {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove environment: %w", err)
		}
		if err := os.Remove(dir + lockSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove environment: %w", err)
		}
	}
	return nil
}

// publish writes v as JSON so that the file is either there in full or not at
// all, also after a power cut.
func publish(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncFile(filepath.Dir(path), (*os.File).Sync)
}

func (s EnvironmentSpec) record() Environment {
	e := Environment{Key: filepath.Base(s.Dir), Dir: s.Dir, Runtime: s.Runtime.Name, Built: ml.At(time.Now())}
	for _, p := range s.Packages {
		e.Packages = append(e.Packages, filepath.Base(p))
	}
	return e
}
