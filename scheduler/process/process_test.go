package process

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"hearth/ml"
)

// TestMain makes this binary all that the tests need: the shim, a daemon to
// kill and programs that behave badly.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "task":
		os.Exit(ShimMain(os.Args[2]))
	case "test-daemon":
		os.Exit(daemonMain(os.Args[2], os.Args[3]))
	case "test-fds":
		fmt.Println(inheritedFiles())
		os.Exit(0)
	case "test-hog":
		os.Exit(hogMain(os.Args[2]))
	}
	os.Exit(m.Run())
}

// daemonMain starts the shell program given on stdin, says so, and waits.
func daemonMain(dir, mode string) int {
	s, err := Open(Options{Dir: dir, Executable: self(), NoCgroups: mode == "none"})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	program, _ := bufio.NewReader(os.Stdin).ReadString(0)
	if err := s.Start(context.Background(), testID, shell(program)); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("started")
	s.Wait(context.Background(), testID)
	return 0
}

// inheritedFiles lists the descriptors that this process was started with.
func inheritedFiles() []int {
	var fds []int
	for fd := range 1024 {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds = append(fds, fd)
		}
	}
	return fds
}

// hogMain uses as many MiB as it is told, one after the other, and waits.
func hogMain(mib string) int {
	n, _ := strconv.Atoi(mib)
	var held [][]byte
	for range n {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
		<-time.After(time.Millisecond) // a limit by sampling needs time to see it
	}
	fmt.Println("full", len(held))
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt)
	<-end
	return 0
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

const testID = "hearth.job.1/master-replica-0"

// shell is a process that runs a program of the shell.
func shell(program string) ml.Process {
	return ml.Process{
		Args:  []string{"/bin/sh", "-c", program},
		Env:   []string{"PATH=/usr/local/bin:/usr/bin:/bin", "SELF=" + self()},
		Dir:   "/",
		Grace: 200 * time.Millisecond,
	}
}

// inModes runs a test with cgroups, where they may be used, and without.
func inModes(t *testing.T, test func(t *testing.T, s *Supervisor)) {
	for _, mode := range []string{"cgroup", "none"} {
		t.Run(mode, func(t *testing.T) { test(t, open(t, mode)) })
	}
}

// open gives a Supervisor of its own, and checks at the end of the test that
// nothing of it is left.
func open(t *testing.T, mode string) *Supervisor {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		checkNothingLeft(t, dir)
		if t.Failed() {
			logs, _ := filepath.Glob(dir + "/*/*/" + fileShimLog)
			for _, l := range logs {
				b, _ := os.ReadFile(l)
				t.Logf("%s: %s", l, b)
			}
		}
	})
	return reopen(t, dir, mode)
}

func reopen(t *testing.T, dir, mode string) *Supervisor {
	t.Helper()
	s, err := Open(Options{Dir: dir, Executable: self(), NoCgroups: mode == "none", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if mode == "cgroup" && s.Isolation().Level == levelNone {
		t.Skip("this user may not make cgroups here")
	}
	return s
}

func modeOf(s *Supervisor) string {
	if s.Isolation().Level == levelNone {
		return "none"
	}
	return "cgroup"
}

// alive lists the processes of all trees below an attempts folder.
func alive(dir string) []int {
	var found []int
	for _, pid := range pids() {
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if strings.Contains("\x00"+string(env), "\x00"+markVariable+"="+dir+"/") {
			found = append(found, pid)
		}
	}
	return found
}

func checkNothingLeft(t *testing.T, dir string) {
	t.Helper()
	for _, pid := range alive(dir) {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		t.Errorf("process %d is left: %q", pid, cmdline)
		if p, err := os.FindProcess(pid); err == nil {
			p.Kill()
		}
	}
	h, err := readHierarchies()
	if err != nil {
		t.Fatal(err)
	}
	for _, stem := range h.place(dir).stem.folders() {
		if left, _ := filepath.Glob(stem + "*"); len(left) > 0 {
			t.Errorf("cgroups %q are left", left)
		}
	}
}

func start(t *testing.T, s *Supervisor, p ml.Process) {
	t.Helper()
	if err := s.Start(t.Context(), testID, p); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, s *Supervisor) ml.Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	exit, err := s.Wait(ctx, testID)
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

// run starts p and waits for its end.
func run(t *testing.T, s *Supervisor, p ml.Process) ml.Exit {
	t.Helper()
	start(t, s, p)
	return wait(t, s)
}

func stdout(t *testing.T, s *Supervisor) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Folder(testID), ml.FileStdout))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fifo makes a named pipe on which a test program says that it has come to a
// point, and gives a function that waits for n lines.
func fifo(t *testing.T) (path string, await func(n int) []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if out, err := exec.Command("mkfifo", path).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v: %s", err, out)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	lines := bufio.NewReader(f)
	return path, func(n int) []string {
		t.Helper()
		f.SetReadDeadline(time.Now().Add(10 * time.Second))
		var got []string
		for range n {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("after %q: %v", got, err)
			}
			got = append(got, strings.TrimSpace(line))
		}
		return got
	}
}

func readStateOf(t *testing.T, s *Supervisor) state {
	t.Helper()
	st, found, err := readState(s.Folder(testID))
	if err != nil || !found {
		t.Fatalf("state.json: found %v, %v", found, err)
	}
	return st
}
