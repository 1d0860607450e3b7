package ml

import (
	"fmt"
	"time"
)

// Process describes one supervised process tree: a training replica, an
// installer, a model worker. It knows no machine learning.
type Process struct {
	// Args is the command line; Args[0] is an absolute path or is looked up in
	// PATH of Env.
	Args []string `json:"args"`
	// Env is the whole environment, as KEY=VALUE. Nothing is inherited.
	Env []string `json:"env"`
	// Dir is the working folder; it must exist.
	Dir string `json:"dir"`
	// Scratch is the folder of the process's own files, which DiskBytes bounds.
	Scratch string `json:"scratch,omitempty"`
	// Limits bounds the whole tree.
	Limits Limits `json:"limits"`
	// Weight decides who yields when the machine is full.
	Weight Weight `json:"weight"`
	// Grace is how long the tree may live on after SIGTERM.
	Grace time.Duration `json:"grace"`
	// Sandbox says what of the machine the tree may touch, nil for all that its
	// user may.
	Sandbox *Sandbox `json:"sandbox,omitempty"`
}

// Sandbox keeps a tree to its own files, as far as the host allows. Paths are
// absolute and must exist.
type Sandbox struct {
	// User is the user and group to run as, 0 for the daemon's: without any
	// privileges then.
	User uint32 `json:"user,omitempty"`
	// Read are folders to read and run programs from, beside the system's;
	// Write are folders to do anything in.
	Read  []string `json:"read,omitempty"`
	Write []string `json:"write,omitempty"`
	// Offline keeps the tree from making TCP connections and from listening. It can
	// use those that it is handed.
	Offline bool `json:"offline,omitempty"`
	// Temp becomes /tmp and /var/tmp for the tree, empty leaves these alone.
	Temp string `json:"temp,omitempty"`
}

// Limits bounds a supervised tree. Zero means unbounded.
type Limits struct {
	// MemoryBytes is the most memory that the tree may use; over it the tree
	// ends and its Exit says OutOfMemory.
	MemoryBytes int64 `json:"memoryBytes,omitempty"`
	// Pids is the most processes and threads that the tree may hold.
	Pids int64 `json:"pids,omitempty"`
	// DiskBytes is the most that the files below the process's Scratch may
	// take; over it the tree ends and its Exit says OutOfDisk.
	DiskBytes int64 `json:"diskBytes,omitempty"`
	// LogBytes is the most that each of the two log files keeps; of longer ones
	// the beginning is dropped.
	LogBytes int64 `json:"logBytes,omitempty"`
}

// Weight is a tree's claim on the processor when others want it too.
type Weight string

// Serving comes before everything; training takes what is left.
const (
	WeightNormal Weight = "normal"
	WeightIdle   Weight = "idle"
)

// Exit is how a supervised process ended. It is written durably before anyone
// hears of it.
type Exit struct {
	// Code is the exit status; 128+n for signal n; -1 if it never started or
	// nobody saw it end.
	Code int `json:"code"`
	// Signal is the name of the signal that ended the process, such as SIGKILL.
	Signal string `json:"signal,omitempty"`
	// OutOfMemory is true if the tree was ended for its memory.
	OutOfMemory bool `json:"outOfMemory,omitempty"`
	// OutOfDisk is true if the tree was ended for the files that it wrote.
	OutOfDisk bool `json:"outOfDisk,omitempty"`
	// Stopped is true if the process ended after Hearth asked it to.
	Stopped bool `json:"stopped,omitempty"`
	// Lost is true if the supervisor died or the host restarted, so that the
	// exit status cannot be known. Reason says which.
	Lost bool `json:"lost,omitempty"`
	// Reason is one sentence for people, empty for an ordinary exit.
	Reason string `json:"reason,omitempty"`
	// Ended is when the main process ended.
	Ended Timestamp `json:"ended"`
}

// Sentence says for people how the process ended, as in "it exited with status 1".
func (e Exit) Sentence() string {
	switch {
	case e.OutOfMemory:
		return "it was ended for using too much memory"
	case e.OutOfDisk:
		return "it was ended for using too much disk"
	case e.Lost:
		return "it was lost: " + e.Reason
	case e.Signal != "":
		return "it was ended by " + e.Signal
	case e.Reason != "":
		return fmt.Sprintf("it exited with status %d: %s", e.Code, e.Reason)
	}
	return fmt.Sprintf("it exited with status %d", e.Code)
}

// Files that a supervised process has in its folder; docs/formats.md describes
// them. The shim writes them, storage/logs reads the last three.
const (
	FileSpec     = "spec.json"
	FileState    = "state.json"
	FileExit     = "exit.json"
	FileLock     = "lock"
	FileStdout   = "stdout.log"
	FileStderr   = "stderr.log"
	FileLogIndex = "log.idx"
	FileLogDrop  = "log.dropped"
	FileUsage    = "usage.log"
	FileGPUUsage = "gpu.log"
)
