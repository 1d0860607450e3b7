package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// What a shim is given besides its folder: the locked lock file, a socket on
// which it is told to begin and reports that the process runs, and the group to
// use, as JSON in its environment.
const (
	shimLockFD    = 3
	shimWordFD    = 4
	groupVariable = "HEARTH_GROUP"
)

// shim supervises one process tree and runs in a process of its own.
type shim struct {
	dir    string
	spec   spec
	state  state
	tree   tree
	marker *marker
	alive  int // see fileAlive
	word   int // shimWordFD, -1 once the daemon has been answered

	children chan os.Signal // SIGCHLD
	requests chan os.Signal // look for the stop file
	ends     chan os.Signal // the system wants us to end
}

// ShimMain is the hidden command `hearth task DIR`: it runs the process that
// DIR/spec.json describes and returns when the whole tree is gone and
// DIR/exit.json tells how. Only a [Supervisor] can start it. It returns the
// exit status of the command.
func ShimMain(dir string) int {
	closeInherited()
	unix.CloseOnExec(shimLockFD)
	unix.CloseOnExec(shimWordFD)
	if err := holdsLock(dir); err != nil {
		fmt.Fprintln(os.Stderr, "hearth task:", err)
		return 2
	}
	if err := newShim(dir).run(); err != nil {
		fmt.Fprintln(os.Stderr, "hearth task:", err)
		return 1
	}
	return 0
}

// closeInherited closes what the daemon was itself given by careless parents:
// a pipe of theirs would stay open as long as the job. Files that are marked
// close-on-exec cannot have been inherited: they are the Go runtime's.
func closeInherited() {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= shimWordFD {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}

// holdsLock checks that the inherited file is the locked lock of the folder.
func holdsLock(dir string) error {
	var ours, lock unix.Stat_t
	err := errors.Join(unix.Fstat(shimLockFD, &ours), unix.Stat(filepath.Join(dir, ml.FileLock), &lock))
	if err == nil && (ours.Dev != lock.Dev || ours.Ino != lock.Ino) {
		err = errors.New("another file was inherited")
	}
	if err == nil {
		err = unix.Flock(shimLockFD, unix.LOCK_EX|unix.LOCK_NB) // no change if it is locked already
	}
	if err != nil {
		return fmt.Errorf("this command is for Hearth itself: no lock of %s: %w", dir, err)
	}
	return nil
}

func newShim(dir string) *shim {
	return &shim{
		dir:      dir,
		word:     shimWordFD,
		children: make(chan os.Signal, 1),
		requests: make(chan os.Signal, 1),
		ends:     make(chan os.Signal, 1),
	}
}

// run is the whole life of a shim. It leaves an exit.json unless it returns an
// error.
func (s *shim) run() error {
	if err := s.prepare(); err != nil {
		return err
	}
	if !awaitWord() {
		return nil // the daemon died; a later one will start another shim
	}
	// From here on the process counts as started; the daemon, which writes the
	// stop file before it looks for state.json, signals us or is seen now.
	if err := writeJSON(s.dir, ml.FileState, s.state, surviveKill); err != nil {
		return err
	}
	if exists(s.dir, fileStop) {
		return s.finish(ml.Exit{Code: -1, Stopped: true, Reason: reasonNeverStarted, Ended: ml.At(time.Now())})
	}
	pid, err := s.start()
	if err != nil {
		return s.finish(ml.Exit{Code: -1, Reason: err.Error(), Ended: ml.At(time.Now())})
	}
	s.announce(pid)
	return s.finish(s.supervise(pid))
}

// awaitWord waits until the daemon has made the specification durable.
func awaitWord() bool {
	for {
		var b [1]byte
		n, err := unix.Read(shimWordFD, b[:])
		if !errors.Is(err, unix.EINTR) {
			return n == 1
		}
	}
}

const reasonNeverStarted = "it was stopped before it started"

// prepare makes this process fit to be a supervisor.
func (s *shim) prepare() error {
	signal.Notify(s.children, unix.SIGCHLD)
	signal.Notify(s.requests, unix.SIGUSR1)
	signal.Notify(s.ends, unix.SIGTERM)
	// Caught and dropped, not ignored: the child would inherit that, and so
	// would it what the daemon was started with.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the reaper of orphans: %w", err)
	}
	if err := readJSON(s.dir, ml.FileSpec, &s.spec); err != nil {
		return err
	}
	if v := os.Getenv(groupVariable); v != "" {
		if err := json.Unmarshal([]byte(v), &s.state.Group); err != nil {
			return fmt.Errorf("read %s: %w", groupVariable, err)
		}
	}
	var err error
	if s.alive, err = openAlive(s.dir); err != nil {
		return err
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	self, err := identify(os.Getpid())
	if err != nil {
		return err
	}
	s.state.Phase, s.state.BootID, s.state.Shim = phaseStarting, boot, self
	s.tree = tree{root: os.Getpid(), group: s.state.Group}
	return nil
}

// start brings the process to life in its group.
func (s *shim) start() (pid int, err error) {
	p := s.spec.Process
	if err := s.state.Group.make(p.Limits, p.Weight); err != nil {
		return 0, err
	}
	if s.marker, err = openMarker(s.dir); err != nil {
		return 0, fmt.Errorf("open log files: %w", err)
	}
	s.marker.quota.limit = p.Limits.LogBytes
	go s.marker.run()
	return s.spawn()
}

// announce tells whoever waits for it that the process runs. Nobody may be
// left to hear of it, and supervision goes on without.
func (s *shim) announce(pid int) {
	s.state.Phase = phaseRunning
	s.state.Child, _ = identify(pid) // not reaped yet, so it is there
	if err := writeJSON(s.dir, ml.FileState, s.state, surviveKill); err != nil {
		fmt.Fprintln(os.Stderr, "hearth task:", err)
	}
	unix.Write(s.word, []byte{1})
	s.answered()
}

// answered ends the daemon's wait for a word from us.
func (s *shim) answered() {
	if s.word >= 0 {
		unix.Close(s.word)
		s.word = -1
	}
}

// finish is the end: the tree is gone. exit.json comes last, so that whoever
// sees it finds everything else in place.
func (s *shim) finish(exit ml.Exit) error {
	if s.marker != nil {
		if err := s.marker.finish(); err != nil {
			fmt.Fprintln(os.Stderr, "hearth task: last log mark:", err)
		}
	}
	if err := s.state.Group.remove(); err != nil {
		fmt.Fprintln(os.Stderr, "hearth task:", err)
	}
	syncLogs(s.dir)
	err := writeJSON(s.dir, ml.FileExit, exit, survivePower)
	unix.Close(s.alive)
	s.answered()
	return err
}

// openAlive opens the folder's pipe for writing, which never blocks.
func openAlive(dir string) (fd int, err error) {
	path := filepath.Join(dir, fileAlive)
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		return 0, fmt.Errorf("make %s: %w", path, err)
	}
	fd, err = unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", path, err)
	}
	return fd, nil
}

// syncLogs makes the log files durable, at the same time: their syncs then
// share one commit of the file system's journal.
func syncLogs(dir string) {
	var wg sync.WaitGroup
	for _, name := range []string{ml.FileStdout, ml.FileStderr, ml.FileLogIndex} {
		wg.Go(func() {
			if err := syncFile(filepath.Join(dir, name)); err != nil {
				fmt.Fprintln(os.Stderr, "hearth task:", err)
			}
		})
	}
	wg.Wait()
}

// exitOf says how the main process ended.
func exitOf(ws syscall.WaitStatus) ml.Exit {
	exit := ml.Exit{Code: ws.ExitStatus(), Ended: ml.At(time.Now())}
	if ws.Signaled() {
		exit.Code = 128 + int(ws.Signal())
		exit.Signal = unix.SignalName(ws.Signal())
		if exit.Signal == "" { // real-time signals have no names
			exit.Signal = "SIG" + strconv.Itoa(int(ws.Signal()))
		}
	}
	return exit
}
