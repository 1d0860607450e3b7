package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process names one process for ever, together with the boot id: pids are
// used again, pairs of pid and start time are not.
type process struct {
	Pid   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot
}

// bootID is the kernel's random name of this boot.
var bootID = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
})

// identify gives the name of a living process.
func identify(pid int) (process, error) {
	st, err := readStat(pid)
	return process{Pid: pid, Start: st.start}, err
}

// stat is the part of /proc/PID/stat that is of interest here.
// State Z alone does not mean that a process has ended: other threads of it may
// still be dying, with all its files open. Its handle tells.
type stat struct {
	state byte
	ppid  int
	ticks int64 // of processor time, its own and its ended children's
	start uint64
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	// The second field is the program's name, which may hold anything.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields)+2)
	}
	st := stat{state: fields[0][0]}
	if st.ppid, err = strconv.Atoi(string(fields[1])); err != nil {
		return stat{}, err
	}
	st.ticks = parseTicks(fields[11:15])
	st.start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return st, err
}

// handle is a hold on one living process: it never means another one, even
// when the pid is used again.
type handle struct{ file *os.File }

// errGone says that a process has ended, or has ended and its pid is used by
// another one.
var errGone = errors.New("the process has ended")

// open takes hold of p: errGone if it lives no more.
func (p process) open() (*handle, error) {
	if p.Pid <= 0 {
		return nil, errGone
	}
	fd, err := unix.PidfdOpen(p.Pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, errGone // EINVAL: the pid is now a thread's
	}
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", p.Pid, err)
	}
	// Only now compare: what the descriptor names cannot change any more.
	st, err := readStat(p.Pid)
	if err != nil || st.start != p.Start || pollFD(fd, unix.POLLIN, 0) {
		unix.Close(fd)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
			return nil, err
		}
		return nil, errGone
	}
	unix.SetNonblock(fd, true) // os.NewFile then gives it to the runtime's poller
	return &handle{os.NewFile(uintptr(fd), "process "+strconv.Itoa(p.Pid))}, nil
}

// lives reports whether p runs.
func (p process) lives() bool {
	h, err := p.open()
	if err == nil {
		h.close()
	}
	return !errors.Is(err, errGone)
}

func (h *handle) close() { h.file.Close() }

// wait returns when the process has ended or ctx is done. It holds no thread.
func (h *handle) wait(ctx context.Context) error {
	conn, err := h.file.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { h.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = conn.Read(func(fd uintptr) bool { return pollFD(int(fd), unix.POLLIN, 0) })
	if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return ctx.Err()
	}
	return err
}

// signal sends a signal; errGone if the process has ended.
func (h *handle) signal(sig unix.Signal) error {
	err := h.withFD(func(fd int) error { return unix.PidfdSendSignal(fd, sig, nil, 0) })
	if errors.Is(err, unix.ESRCH) {
		return errGone
	}
	return err
}

// exitStatus gives how a process ended that may have had any parent, if the
// kernel can tell (Linux 6.15). It waits a moment for its parent to reap it.
func (h *handle) exitStatus() (ws syscall.WaitStatus, ok bool) {
	const reapedWithin = 500 // milliseconds
	h.withFD(func(fd int) error {
		if !pollFD(fd, unix.POLLIN, 0) || !pollFD(fd, unix.POLLHUP, reapedWithin) {
			return errGone
		}
		info := unix.PidfdInfo{Mask: pidfdInfoExit}
		if err := unix.IoctlPidfdInfo(fd, &info); err != nil {
			return err
		}
		ws, ok = syscall.WaitStatus(info.Exit_code), info.Mask&pidfdInfoExit != 0
		return nil
	})
	return ws, ok
}

// pidfdInfoExit asks PIDFD_GET_INFO for the exit status.
const pidfdInfoExit = 1 << 3

func (h *handle) withFD(f func(fd int) error) error {
	conn, err := h.file.SyscallConn()
	if err != nil {
		return err
	}
	if e := conn.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// pollFD reports whether one of events is there within timeout milliseconds.
func pollFD(fd int, events int16, timeout int) bool {
	deadline := time.Now().Add(time.Duration(timeout) * time.Millisecond)
	asked := events &^ unix.POLLHUP // reported without being asked for
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: asked}}
		_, err := unix.Poll(fds, max(0, int(time.Until(deadline)/time.Millisecond)))
		if fds[0].Revents&events != 0 {
			return true
		}
		if !errors.Is(err, unix.EINTR) && !time.Now().Before(deadline) || err == nil {
			return false
		}
	}
}
