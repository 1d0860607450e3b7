package runtimes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"hearth/ml"
)

// Options say where runtimes are and how they are made.
type Options struct {
	// Dir holds the runtimes, Environments the environments; both absolute.
	Dir, Environments string
	// Default is the runtime of requests that name none.
	Default string
	// Aliases are other names for runtimes.
	Aliases map[string]string
	// Python is the interpreter that runtimes are made with, python3 if empty.
	Python string
	// Index is the package index; empty is what pip is configured with.
	Index string
	// Wheelhouse is a folder of wheels that packages come from instead of an
	// index; empty for none.
	Wheelhouse string
	// CUDA asks for NVIDIA's libraries with each TensorFlow.
	CUDA bool
	// Executable is the program whose command build-environment builds
	// environments; /proc/self/exe if empty.
	Executable string
	Log        zerolog.Logger
}

// Store keeps the runtimes of a data folder. Its methods may be called from
// several goroutines.
type Store struct {
	o Options

	mu      sync.Mutex
	flights map[string]*flight
}

// Open makes the folders if they are missing.
func Open(o Options) (*Store, error) {
	for _, dir := range []string{o.Dir, o.Environments} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("open runtimes: %w", err)
		}
	}
	if o.Python == "" {
		o.Python = "python3"
	}
	if o.Executable == "" {
		o.Executable = "/proc/self/exe"
	}
	return &Store{o: o, flights: map[string]*flight{}}, nil
}

// State says whether a runtime can be used.
type State string

// The states of a runtime. A broken one is the rest of an interrupted install
// or was damaged; installing it again makes it anew.
const (
	Ready      State = "READY"
	Installing State = "INSTALLING"
	Broken     State = "BROKEN"
)

// Info is a runtime in a list. Only a Ready one has more than its name.
type Info struct {
	Runtime
	State State
	// Default is true for the runtime of requests that name none.
	Default bool
}

// List gives all runtimes by name, unfinished ones included.
func (s *Store) List() ([]Info, error) {
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return nil, fmt.Errorf("list runtimes: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var infos []Info
	for _, e := range entries {
		if info, err := os.Stat(s.dir(e.Name())); err == nil && info.IsDir() {
			infos = append(infos, s.info(e.Name()))
		}
	}
	for name := range s.flights {
		if !slices.ContainsFunc(infos, func(i Info) bool { return i.Name == name }) {
			infos = append(infos, s.info(name))
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// info describes one runtime; s.mu is held.
func (s *Store) info(name string) Info {
	i := Info{Runtime: Runtime{Name: name}, State: Broken, Default: name == s.o.Default}
	if s.flights[name] != nil {
		i.State = Installing
		return i
	}
	if r, err := readRuntime(s.dir(name)); err == nil {
		i.Runtime, i.State = *r, Ready
	}
	return i
}

// Get finds the runtime for a runtimeVersion: the default for "", else by name
// or alias. One that is not installed is INVALID_ARGUMENT and lists those that
// are.
func (s *Store) Get(version string) (*Runtime, error) {
	name := s.Resolve(version)
	if namePattern.MatchString(name) {
		r, err := readRuntime(s.dir(name))
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			s.o.Log.Error().Err(err).Str("runtime", name).Msg("runtime cannot be used")
		}
	}
	return nil, ml.Errorf(ml.InvalidArgument, "Runtime version %q is not installed (%s). An operator installs one with: hearth runtimes install VERSION",
		name, s.installed())
}

func (s *Store) installed() string {
	infos, _ := s.List()
	var names []string
	for _, i := range infos {
		if i.State == Ready {
			names = append(names, i.Name)
		}
	}
	if len(names) == 0 {
		return "none is"
	}
	return "installed: " + strings.Join(names, ", ")
}

// Resolve gives the name of the runtime that a runtimeVersion means, installed
// or not.
func (s *Store) Resolve(version string) string {
	if version == "" {
		version = s.o.Default
	}
	if name, ok := s.o.Aliases[version]; ok {
		return name
	}
	return version
}

func (s *Store) dir(name string) string { return filepath.Join(s.o.Dir, name) }

// above gives a runtime that is layered on another, empty if none is.
func (s *Store) above(name string) string {
	entries, _ := os.ReadDir(s.o.Dir)
	for _, e := range entries {
		if r, err := readRuntime(s.dir(e.Name())); err == nil && r.Base == name {
			return r.Name
		}
	}
	return ""
}

// Remove deletes a runtime and the environments layered on it. inUse says
// whether somebody still needs it: its error is Remove's. NOT_FOUND if there
// is no such runtime, FAILED_PRECONDITION while it is being installed.
func (s *Store) Remove(name string, inUse func(name string) error) error {
	if !namePattern.MatchString(name) {
		return ml.Errorf(ml.NotFound, "There is no runtime %q.", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flights[name] != nil {
		return ml.Errorf(ml.FailedPrecondition, "Runtime %s is being installed.", name)
	}
	info, err := os.Lstat(s.dir(name))
	if err != nil {
		return ml.Errorf(ml.NotFound, "There is no runtime %q.", name)
	}
	if err := inUse(name); err != nil {
		return err
	}
	if above := s.above(name); above != "" {
		return ml.Errorf(ml.FailedPrecondition, "Runtime %s is layered on %s. Remove it first.", above, name)
	}
	if info.Mode().Type() == fs.ModeSymlink {
		// The runtime itself belongs to whoever made the link.
		if err := os.Remove(s.dir(name)); err != nil {
			return fmt.Errorf("remove runtime %s: %w", name, err)
		}
		return s.removeEnvironments(name)
	}
	// Without its record the folder is no runtime any more, whatever happens next.
	if err := os.Remove(filepath.Join(s.dir(name), recordFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove runtime %s: %w", name, err)
	}
	if err := os.RemoveAll(s.dir(name)); err != nil {
		return fmt.Errorf("remove runtime %s: %w", name, err)
	}
	return s.removeEnvironments(name)
}
