package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"hearth/ml"
)

// Options says how processes are supervised.
type Options struct {
	// Dir is the folder of all attempts; it is made if it is missing.
	Dir string
	// Executable is this binary, which is run as `task FOLDER`; empty means
	// the one that is running, even if its file has been replaced.
	Executable string
	// NoCgroups supervises as on a host where cgroups may not be used.
	NoCgroups bool
	Log       zerolog.Logger
}

// Supervisor starts, watches and stops supervised processes. All it knows is
// in their folders, so that any later Supervisor on the same Dir goes on where
// this one was killed. Only one may use a Dir at a time. It is safe for
// concurrent use and runs no goroutines of its own.
//
// An id is ATTEMPT/TASK, each of letters, digits, '.', '_' and '-', and
// starting with a letter or digit. Methods that take one fail with
// INVALID_ARGUMENT for others.
type Supervisor struct {
	dir        string
	executable string
	log        zerolog.Logger
	placement  placement

	mu     sync.Mutex
	turns  map[string]*turn // who is at work on an id
	zombie map[string]int   // pids of shims that this process has yet to reap
}

// Open prepares supervision below o.Dir and finds out what the host allows.
func Open(o Options) (*Supervisor, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of attempts: %w", err)
	}
	dir, err := filepath.Abs(o.Dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, err
	}
	s := &Supervisor{
		dir:        dir,
		executable: o.Executable,
		log:        o.Log.With().Str("component", "process").Logger(),
		placement:  placement{level: levelNone, notes: []string{"no cgroups: switched off"}},
		turns:      map[string]*turn{},
		zombie:     map[string]int{},
	}
	if s.executable == "" {
		s.executable = "/proc/self/exe"
	}
	if _, err := bootID(); err != nil {
		return nil, fmt.Errorf("read the boot id: %w", err)
	}
	if !o.NoCgroups {
		h, err := readHierarchies()
		if err != nil {
			return nil, fmt.Errorf("read cgroups: %w", err)
		}
		s.placement = h.place(dir)
	}
	if err := s.sweepRemoved(); err != nil {
		return nil, err
	}
	return s, nil
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Folder gives the folder of a process, whether it exists or not.
func (s *Supervisor) Folder(id string) string {
	return filepath.Join(s.dir, filepath.FromSlash(id))
}

// folder checks an id and gives its folder.
func (s *Supervisor) folder(id string) (string, error) {
	attempt, task, ok := strings.Cut(id, "/")
	if !ok || !idPattern.MatchString(attempt) || !idPattern.MatchString(task) {
		return "", ml.Errorf(ml.InvalidArgument, "%q is not a process id ATTEMPT/TASK", id)
	}
	return s.Folder(id), nil
}

// Started reports whether Start was ever called for the process: its
// specification is there.
func (s *Supervisor) Started(id string) bool {
	dir, err := s.folder(id)
	if err != nil {
		return false
	}
	_, err = readSpec(dir)
	return err == nil
}

// Asked gives what a process was started with; ok is false if Start was never
// called for it.
func (s *Supervisor) Asked(id string) (p ml.Process, ok bool) {
	dir, err := s.folder(id)
	if err != nil {
		return ml.Process{}, false
	}
	sp, err := readSpec(dir)
	return sp.Process, err == nil
}

// Over reports whether the process has ended and its exit status can be read.
func (s *Supervisor) Over(id string) bool {
	dir, err := s.folder(id)
	return err == nil && exists(dir, ml.FileExit)
}

// SetWeight changes what claim a running process has on the processor. For one
// that is over, or where weights cannot be had, it does nothing.
func (s *Supervisor) SetWeight(id string, w ml.Weight) error {
	dir, err := s.folder(id)
	if err != nil {
		return err
	}
	st, found, err := readState(dir)
	if err != nil || !found || exists(dir, ml.FileExit) {
		return err
	}
	err = st.Group.setWeight(w)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil // it has just ended
	}
	if err != nil {
		return fmt.Errorf("set the weight of %s: %w", id, err)
	}
	return nil
}

// turn lets one caller at a time work on a process.
type turn struct {
	free  chan struct{} // holds one token while nobody works
	users int
}

// take waits for the turn to work on id; release gives it back.
func (s *Supervisor) take(ctx context.Context, id string) (release func(), err error) {
	s.mu.Lock()
	t := s.turns[id]
	if t == nil {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		s.turns[id] = t
	}
	t.users++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(s.turns, id)
		}
	}
	select {
	case <-t.free:
		return func() { t.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// reap collects the shims of ours that have ended. Doing it in passing needs
// neither a goroutine nor a thread for each.
func (s *Supervisor) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, pid := range s.zombie {
		got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
		if got == pid || errors.Is(err, unix.ECHILD) {
			delete(s.zombie, id)
		}
	}
}
