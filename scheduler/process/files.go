package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hearth/ml"
)

// Files of a process's folder that only this package reads.
const (
	fileStop    = "stop"     // its presence asks the shim to end the tree
	fileShimLog = "shim.log" // what the shim has to say about its own troubles
	// fileAlive is a named pipe that the shim holds open until exit.json is
	// written. Its death tells too, but later: the kernel takes its time (20 ms)
	// to close an inotify file.
	fileAlive = "alive"
)

// spec is spec.json: what was asked for. It is written once.
type spec struct {
	ID string `json:"id"`
	// BootID is the boot in which the process was asked for. It may not have
	// left any other durable trace, so it is not run in a later one.
	BootID  string     `json:"bootId"`
	Process ml.Process `json:"process"`
}

// phase says how far a shim has come.
type phase string

const (
	phaseStarting phase = "starting" // the process may run already
	phaseRunning  phase = "running"  // the process runs, its pid is known
)

// state is state.json: who runs. It is never synced to disk: it is of no use
// after a restart of the host, and the boot id in spec.json tells that.
type state struct {
	Phase  phase   `json:"phase"`
	BootID string  `json:"bootId"`
	Shim   process `json:"shim"`
	Child  process `json:"child,omitzero"`
	Group  group   `json:"group"`
}

// readJSON reads dir/name into v. A missing file is fs.ErrNotExist.
func readJSON(dir, name string, v any) error {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// readSpec reads spec.json. One that cannot be parsed was torn by a loss of
// power before any shim could have started, and counts as missing.
func readSpec(dir string) (spec, error) {
	var s spec
	err := readJSON(dir, ml.FileSpec, &s)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		err = fs.ErrNotExist
	}
	return s, err
}

// readState reads state.json; found is false if no shim has come that far.
func readState(dir string) (st state, found bool, err error) {
	err = readJSON(dir, ml.FileState, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return st, false, nil
	}
	return st, err == nil, err
}

// readExit reads exit.json; found is false while the process is not over.
func readExit(dir string) (exit ml.Exit, found bool, err error) {
	err = readJSON(dir, ml.FileExit, &exit)
	if errors.Is(err, fs.ErrNotExist) {
		return exit, false, nil
	}
	return exit, err == nil, err
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

// durability is what a written file is to survive.
type durability int

const (
	surviveKill  durability = iota // the death of any process
	survivePower                   // a loss of power, whole or not at all
)

// writeJSON replaces dir/name by v in one step. Each file has one writer at a
// time (the holder of the lock), so the temporary name may be a fixed one.
func writeJSON(dir, name string, v any, d durability) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	temp := filepath.Join(dir, "."+name)
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil && d == survivePower {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(temp, filepath.Join(dir, name))
	}
	if err == nil && d == survivePower {
		err = syncFolder(dir)
	}
	return err
}

// syncFile makes the contents of one file durable; a missing one is fine.
func syncFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// syncFolder makes the names in dir durable.
func syncFolder(dir string) error { return syncFile(dir) }
