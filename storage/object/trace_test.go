//go:build linux && amd64

package object

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A tracer of system calls. A process of its own (the test binary again) runs
// the traced program and writes down what that does to files below a folder.

// event is one successful system call, or a mark that the program made.
type event struct {
	// Call is open, close, dup, write, truncate, allocate, sync, syncfs, rename, link,
	// unlink, mkdir, rmdir or mark.
	Call      string
	FD, NewFD int
	Path, To  string
	Flags     int
	Offset    int64 // of a write; the size after a truncate or an allocate
	Data      []byte
	Mark      string
	// Begin is how many events there were when the call began: a sync covers
	// those, and not what came while it ran.
	Begin int
}

const (
	markPrefix   = "MARK "
	notPermitted = 77 // exit status of a tracer that may not trace
)

// mark makes the tracer write down text.
func mark(null *os.File, text string) { _, _ = null.WriteString(markPrefix + text) }

// traced runs this test again under a tracer and gives what it did below dir.
func traced(t *testing.T, dir string, env ...string) []event {
	t.Helper()
	out := t.TempDir() + "/trace"
	cmd := exec.Command(os.Args[0], "-test.run=^TestTracer$", "-test.count=1")
	cmd.Env = append(append(os.Environ(), env...), "OBJECT_TRACE_OUT="+out, "OBJECT_TRACE_DIR="+dir, "OBJECT_TRACE_TEST="+t.Name())
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == notPermitted {
		t.Skipf("programs may not be traced here: %s", said)
	}
	if err != nil {
		t.Fatalf("the tracer ended with %v: %s", err, said)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var events []event
	if err := gob.NewDecoder(f).Decode(&events); err != nil {
		t.Fatal(err)
	}
	return events
}

// TestTracer is the tracer when traced runs it.
func TestTracer(t *testing.T) {
	out := os.Getenv("OBJECT_TRACE_OUT")
	if out == "" {
		return // nobody asked for it
	}
	runtime.LockOSThread() // ptrace belongs to a thread
	cmd := exec.Command(os.Args[0], "-test.run=^"+os.Getenv("OBJECT_TRACE_TEST")+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), "OBJECT_TRACE_OUT=", "OBJECT_TRACED=1", "GODEBUG=asyncpreemptoff=1")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, fs.ErrPermission) {
			os.Exit(notPermitted)
		}
		os.Exit(1)
	}
	tr := &tracer{main: cmd.Process.Pid, dir: os.Getenv("OBJECT_TRACE_DIR"), calls: map[int]*syscallInfo{}, fds: map[int]bool{}}
	if err := tr.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	f, err := os.Create(out)
	if err == nil {
		err = errors.Join(gob.NewEncoder(f).Encode(tr.events), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

type tracer struct {
	main   int
	dir    string
	calls  map[int]*syscallInfo // by thread, the call that it is in
	fds    map[int]bool         // open files below dir
	events []event
}

// syscallInfo is what PTRACE_GET_SYSCALL_INFO says, and when the call began.
type syscallInfo struct {
	op    uint8
	_     [3]uint8
	_     uint32
	_, _  uint64
	nr    uint64 // or, at the end of a call, its result
	args  [6]uint64
	_     [2]uint64
	begin int
}

const (
	ptraceGetSyscallInfo = 0x420e
	ptraceEventStop      = unix.SIGTRAP | 0x80
	ptraceOpEntry        = 1
	ptraceOpExit         = 2
)

func (tr *tracer) run() error {
	var ws unix.WaitStatus
	if _, err := unix.Wait4(tr.main, &ws, unix.WALL, nil); err != nil {
		return err
	}
	options := unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_EXITKILL
	if err := errors.Join(unix.PtraceSetOptions(tr.main, options), unix.PtraceSyscall(tr.main, 0)); err != nil {
		return err
	}
	started := map[int]bool{tr.main: true}
	for {
		tid, err := unix.Wait4(-1, &ws, unix.WALL, nil)
		if err != nil {
			return fmt.Errorf("wait for the traced program: %w", err)
		}
		signal := 0
		switch {
		case ws.Exited() || ws.Signaled():
			delete(tr.calls, tid)
			if tid != tr.main {
				continue
			}
			if ws.ExitStatus() != 0 {
				return fmt.Errorf("the traced program ended with %#x", int(ws))
			}
			return nil
		case ws.StopSignal() == ptraceEventStop:
			if err := tr.stop(tid); err != nil {
				return err
			}
		case ws.StopSignal() == unix.SIGTRAP: // a new thread was made
		case ws.StopSignal() == unix.SIGSTOP && !started[tid]:
			started[tid] = true
		default:
			signal = int(ws.StopSignal())
		}
		if err := unix.PtraceSyscall(tid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
}

// stop looks at a thread that enters or leaves a system call.
func (tr *tracer) stop(tid int) error {
	var info syscallInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid), unsafe.Sizeof(info)-8, uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		if errno == unix.ESRCH {
			return nil
		}
		return fmt.Errorf("look at a system call: %w", errno)
	}
	switch info.op {
	case ptraceOpEntry:
		info.begin = len(tr.events)
		tr.calls[tid] = &info
		if fd := int(info.args[0]); info.nr == unix.SYS_CLOSE && tr.fds[fd] {
			// Once the call runs, the number may belong to another file.
			delete(tr.fds, fd)
			tr.events = append(tr.events, event{Call: "close", FD: fd})
		}
	case ptraceOpExit:
		c := tr.calls[tid]
		delete(tr.calls, tid)
		if result := int64(info.nr); c != nil && result >= 0 {
			return tr.finished(tid, c, result)
		}
	}
	return nil
}

func (tr *tracer) add(c *syscallInfo, e event) {
	e.Begin = c.begin
	tr.events = append(tr.events, e)
}

// finished writes down a call that succeeded.
func (tr *tracer) finished(tid int, c *syscallInfo, result int64) error {
	a := c.args
	switch c.nr {
	case unix.SYS_OPEN, unix.SYS_CREAT, unix.SYS_OPENAT, unix.SYS_OPENAT2:
		return tr.opened(tid, c, int(result))
	case unix.SYS_DUP, unix.SYS_DUP2, unix.SYS_DUP3:
		return tr.duplicated(c, int(a[0]), int(result))
	case unix.SYS_FCNTL:
		if a[1] == unix.F_DUPFD || a[1] == unix.F_DUPFD_CLOEXEC {
			return tr.duplicated(c, int(a[0]), int(result))
		}
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		return tr.wrote(tid, c, int(result))
	case unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2, unix.SYS_SENDFILE:
		if tr.fds[int(a[0])] {
			return fmt.Errorf("the tracer does not know system call %d", c.nr)
		}
	case unix.SYS_COPY_FILE_RANGE, unix.SYS_SPLICE:
		if tr.fds[int(a[2])] {
			return tr.copied(tid, c, int(a[2]), a[3], result)
		}
	case unix.SYS_FALLOCATE:
		if tr.fds[int(a[0])] {
			tr.add(c, event{Call: "allocate", FD: int(a[0]), Offset: int64(a[2] + a[3])})
		}
	case unix.SYS_FTRUNCATE:
		if tr.fds[int(a[0])] {
			tr.add(c, event{Call: "truncate", FD: int(a[0]), Offset: int64(a[1])})
		}
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		if tr.fds[int(a[0])] {
			tr.add(c, event{Call: "sync", FD: int(a[0])})
		}
	case unix.SYS_SYNCFS:
		if tr.fds[int(a[0])] {
			tr.add(c, event{Call: "syncfs"})
		}
	default:
		return tr.renamed(tid, c)
	}
	return nil
}

// renamed writes down calls that change names.
func (tr *tracer) renamed(tid int, c *syscallInfo) error {
	a := c.args
	at := int64(unix.AT_FDCWD)
	var e event
	var from, to [2]uint64
	switch c.nr {
	case unix.SYS_RENAME:
		e.Call, from, to = "rename", [2]uint64{uint64(at), a[0]}, [2]uint64{uint64(at), a[1]}
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		e.Call, from, to = "rename", [2]uint64{a[0], a[1]}, [2]uint64{a[2], a[3]}
	case unix.SYS_LINK:
		e.Call, from, to = "link", [2]uint64{uint64(at), a[0]}, [2]uint64{uint64(at), a[1]}
	case unix.SYS_LINKAT:
		e.Call, from, to = "link", [2]uint64{a[0], a[1]}, [2]uint64{a[2], a[3]}
	case unix.SYS_UNLINK:
		e.Call, from = "unlink", [2]uint64{uint64(at), a[0]}
	case unix.SYS_RMDIR:
		e.Call, from = "rmdir", [2]uint64{uint64(at), a[0]}
	case unix.SYS_UNLINKAT:
		e.Call, from = "unlink", [2]uint64{a[0], a[1]}
		if a[2]&unix.AT_REMOVEDIR != 0 {
			e.Call = "rmdir"
		}
	case unix.SYS_MKDIR:
		e.Call, from = "mkdir", [2]uint64{uint64(at), a[0]}
	case unix.SYS_MKDIRAT:
		e.Call, from = "mkdir", [2]uint64{a[0], a[1]}
	default:
		return nil
	}
	var err error
	if e.Path, err = tr.path(tid, from); err == nil && to[1] != 0 {
		e.To, err = tr.path(tid, to)
	}
	if err == nil && (tr.below(e.Path) || tr.below(e.To)) {
		tr.add(c, e)
	}
	return err
}

func (tr *tracer) below(path string) bool {
	return strings.HasPrefix(path, tr.dir+"/") || path == tr.dir
}

func (tr *tracer) opened(tid int, c *syscallInfo, fd int) error {
	name, flags := [2]uint64{c.args[0], c.args[1]}, int(c.args[2])
	switch c.nr {
	case unix.SYS_OPENAT2:
		return errors.New("the tracer does not know openat2")
	case unix.SYS_OPEN:
		fdcwd := int64(unix.AT_FDCWD)
		name, flags = [2]uint64{uint64(fdcwd), c.args[0]}, int(c.args[1])
	case unix.SYS_CREAT:
		fdcwd := int64(unix.AT_FDCWD)
		name, flags = [2]uint64{uint64(fdcwd), c.args[0]}, unix.O_CREAT|unix.O_TRUNC|unix.O_WRONLY
	}
	path, err := tr.path(tid, name)
	if err != nil || !tr.below(path) {
		return err
	}
	tr.fds[fd] = true
	tr.add(c, event{Call: "open", FD: fd, Path: path, Flags: flags})
	return nil
}

func (tr *tracer) duplicated(c *syscallInfo, fd, to int) error {
	if tr.fds[fd] {
		tr.fds[to] = true
		tr.add(c, event{Call: "dup", FD: fd, NewFD: to})
	}
	return nil
}

func (tr *tracer) wrote(tid int, c *syscallInfo, n int) error {
	fd := int(c.args[0])
	ours := tr.fds[fd]
	if !ours && n > 1<<10 {
		return nil
	}
	data := make([]byte, n)
	if err := peek(tid, c.args[1], data); err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(data, []byte(markPrefix)):
		tr.add(c, event{Call: "mark", Mark: string(data[len(markPrefix):])})
	case ours && c.nr == unix.SYS_PWRITE64:
		tr.add(c, event{Call: "write", FD: fd, Offset: int64(c.args[3]), Data: data})
	case ours:
		end, err := tr.position(fd)
		if err != nil {
			return err
		}
		tr.add(c, event{Call: "write", FD: fd, Offset: end - int64(n), Data: data})
	}
	return nil
}

// copied writes down what the kernel copied into a file by itself.
func (tr *tracer) copied(tid int, c *syscallInfo, fd int, offset uint64, n int64) error {
	if offset != 0 {
		return errors.New("the tracer does not know copies to an offset")
	}
	end, err := tr.position(fd)
	if err != nil {
		return err
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/fd/%d", tr.main, fd))
	if err != nil {
		return err
	}
	defer f.Close()
	data := make([]byte, n)
	if _, err := f.ReadAt(data, end-n); err != nil {
		return err
	}
	tr.add(c, event{Call: "write", FD: fd, Offset: end - n, Data: data})
	return nil
}

// position tells where in a file the program is.
func (tr *tracer) position(fd int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", tr.main, fd))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(string(b), "pos:"), "\n")
	return strconv.ParseInt(strings.TrimSpace(first), 10, 64)
}

// path reads a path argument: a folder's descriptor and a string.
func (tr *tracer) path(tid int, at [2]uint64) (string, error) {
	var path []byte
	for address := at[1]; ; {
		b := make([]byte, 256-address%256) // never over the end of a page
		if err := peek(tid, address, b); err != nil {
			return "", err
		}
		if end := bytes.IndexByte(b, 0); end >= 0 {
			path = append(path, b[:end]...)
			break
		}
		path, address = append(path, b...), address+uint64(len(b))
	}
	if !bytes.HasPrefix(path, []byte("/")) && int32(at[0]) != unix.AT_FDCWD && tr.fds[int(at[0])] {
		return "", fmt.Errorf("the tracer does not know paths in open folders: %q", path)
	}
	return string(path), nil
}

// peek reads memory of the traced program.
func peek(tid int, address uint64, to []byte) error {
	if len(to) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &to[0]}}
	local[0].SetLen(len(to))
	n, err := unix.ProcessVMReadv(tid, local, []unix.RemoteIovec{{Base: uintptr(address), Len: len(to)}}, 0)
	if err == nil && n < len(to) {
		err = fmt.Errorf("read %d bytes of %d", n, len(to))
	}
	if err != nil {
		return fmt.Errorf("read memory of the traced program: %w", err)
	}
	return nil
}
