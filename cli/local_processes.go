package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"hearth/storage/metadata"
)

// localGrace is how long local processes may live on after they were asked to
// end.
const localGrace = 5 * time.Second

// runTogether runs the replicas of a local cluster until the first of them, the
// master, has ended, another has failed, or the user interrupts it; then it ends
// them all, with all that they have started. Its error has the exit status.
func runTogether(c *cli.Context, replicas []metadata.Replica, commands []*exec.Cmd) error {
	// Whatever the replicas start and leave becomes a child of this process.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the reaper of orphans: %w", err)
	}
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(interrupts)
	var output sync.WaitGroup
	defer output.Wait()
	defer endDescendants(interrupts)
	type ended struct {
		replica int
		err     error
	}
	ends := make(chan ended, len(commands))
	for i, cmd := range commands {
		out := c.App.Writer
		var mu sync.Mutex
		cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, out, c.App.ErrWriter
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if len(commands) > 1 {
			name := "[" + replicas[i].Task() + "] "
			cmd.Stdout, cmd.Stderr = prefixed(name, out, &mu, &output), prefixed(name, c.App.ErrWriter, &mu, &output)
		}
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("start %s: %w", replicas[i].Task(), err)
		}
		closeWriters(cmd)
		go func() { ends <- ended{i, cmd.Wait()} }()
	}
	for {
		select {
		case <-interrupts:
			return errInterrupted
		case e := <-ends:
			status := exitStatus(e.err)
			if e.replica == 0 {
				return status
			}
			if status != nil {
				fmt.Fprintf(c.App.ErrWriter, "%s failed\n", replicas[e.replica].Task())
				return status
			}
		}
	}
}

// exitStatus turns a program's end into an error with its status.
func exitStatus(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	code := exit.ExitCode()
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		code = 128 + int(ws.Signal())
	}
	return childStatus(code)
}

// prefixed gives a file whose lines appear in out with a name in front.
func prefixed(name string, out io.Writer, mu *sync.Mutex, output *sync.WaitGroup) io.Writer {
	r, w, err := os.Pipe()
	if err != nil {
		return out
	}
	output.Go(func() {
		defer r.Close()
		for lines := bufio.NewReader(r); ; {
			line, err := lines.ReadBytes('\n')
			if len(line) > 0 {
				mu.Lock()
				_, _ = out.Write(append([]byte(name), append(bytes.TrimRight(line, "\n"), '\n')...))
				mu.Unlock()
			}
			if err != nil {
				return
			}
		}
	})
	return w
}

// closeWriters closes what only the child is to write to.
func closeWriters(cmd *exec.Cmd) {
	for _, w := range []io.Writer{cmd.Stdout, cmd.Stderr} {
		if f, ok := w.(*os.File); ok && f != os.Stdout && f != os.Stderr {
			_ = f.Close()
		}
	}
}

// endDescendants asks all processes below this one to end, and kills what has
// not after a while or at a second interrupt.
func endDescendants(interrupts <-chan os.Signal) {
	for _, pid := range descendants() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(localGrace)
	for signal := syscall.Signal(0); ; {
		left := descendants()
		if len(left) == 0 {
			return
		}
		if signal != 0 {
			for _, pid := range left {
				_ = syscall.Kill(pid, signal)
			}
		}
		select {
		case <-tick.C:
		case <-late:
			signal = syscall.SIGKILL
		case <-interrupts:
			signal = syscall.SIGKILL
		}
	}
}

// descendants lists the living processes below this one.
func descendants() []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if parent, err := strconv.Atoi(string(fields[1])); err == nil && fields[0][0] != 'Z' {
			children[parent] = append(children[parent], pid)
		}
	}
	var found []int
	for queue := []int{os.Getpid()}; len(queue) > 0; queue = queue[1:] {
		found, queue = append(found, children[queue[0]]...), append(queue, children[queue[0]]...)
	}
	return found
}
