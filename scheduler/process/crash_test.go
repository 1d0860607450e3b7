package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// daemon runs a daemon in a process of its own that starts a program and waits
// for it. It returns when the program was started.
func daemon(t *testing.T, s *Supervisor, program string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(self(), "test-daemon", s.dir, modeOf(s))
	cmd.Stdin = strings.NewReader(program)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "started\n" {
		t.Fatalf("daemon: %q", line)
	}
	return cmd
}

func TestDaemonKilled(t *testing.T) {
	t.Run("NothingIsLost", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			pipe, _ := fifo(t)
			d := daemon(t, s, "echo one; read line <"+pipe+"; echo two; exit 5")
			d.Process.Kill()
			d.Wait()
			start(t, s, shell("echo again"))
			if err := os.WriteFile(pipe, []byte("go\n"), 0); err != nil {
				t.Fatal(err)
			}
			if exit := wait(t, s); exit.Code != 5 || exit.Lost || exit.Reason != "" {
				t.Errorf("exit: %+v", exit)
			}
			if got := stdout(t, s); got != "one\ntwo\n" {
				t.Errorf("stdout %q", got)
			}
		})
	})
	t.Run("StopByTheNext", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			d := daemon(t, s, "exec sleep 100")
			d.Process.Kill()
			d.Wait()
			stop(t, s)
			if exit := wait(t, s); exit.Signal != "SIGTERM" || !exit.Stopped {
				t.Errorf("exit: %+v", exit)
			}
		})
	})
	t.Run("AtAnyInstantOfStart", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			for i := range 12 {
				next := reopen(t, t.TempDir(), modeOf(s))
				cmd := exec.Command(self(), "test-daemon", next.dir, modeOf(s))
				cmd.Stdin = strings.NewReader("echo ran")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				// Somewhere between the first line of main and the end of Start.
				timer := time.NewTimer(time.Duration(4+2*i) * time.Millisecond)
				<-timer.C
				cmd.Process.Kill()
				cmd.Wait()
				exit := run(t, next, shell("echo ran"))
				if got := stdout(t, next); got != "ran\n" || exit.Code != 0 {
					t.Errorf("%d: exit %+v, stdout %q", i, exit, got)
				}
				checkNothingLeft(t, next.dir)
			}
		})
	})
}

func TestShimKilled(t *testing.T) {
	kill := func(t *testing.T, s *Supervisor) {
		t.Helper()
		if err := readStateOf(t, s).Shim.notify(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("TreeIsKilled", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			pipe, await := fifo(t)
			start(t, s, shell(stubborn(pipe)+"echo text; while :; do sleep 1000; done"))
			await(4)
			exits := make(chan ml.Exit)
			go func() {
				exit, err := s.Wait(t.Context(), testID)
				if err != nil {
					t.Error(err)
				}
				exits <- exit
			}()
			kill(t, s)
			exit := <-exits
			if !exit.Lost || exit.Code != -1 || exit.Reason != reasonShimKilled {
				t.Errorf("exit: %+v", exit)
			}
			if left := alive(s.dir); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			start(t, s, shell("echo again"))
			if again := wait(t, s); again != exit {
				t.Errorf("first %+v, then %+v", exit, again)
			}
			marks := readMarks(t, s)
			if last := marks[len(marks)-1]; last.Stdout != int64(len(stdout(t, s))) {
				t.Errorf("last mark %+v", last)
			}
		})
	})
	t.Run("WhileNoDaemonLives", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			pipe, await := fifo(t)
			start(t, s, shell(stubborn(pipe)+"while :; do sleep 1000; done"))
			await(4)
			kill(t, s)
			next := reopen(t, s.dir, modeOf(s))
			if exit := wait(t, next); !exit.Lost || exit.Reason != reasonShimKilled {
				t.Errorf("exit: %+v", exit)
			}
			s.reap()
		})
	})
	t.Run("StopEndsTheTree", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			start(t, s, shell("exec sleep 1000"))
			kill(t, s)
			awaitEnd(t, readStateOf(t, s).Shim)
			stop(t, s)
			if left := alive(s.dir); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if exit := wait(t, s); !exit.Lost || !exit.Stopped {
				t.Errorf("exit: %+v", exit)
			}
		})
	})
	t.Run("ExitStatusFromTheKernel", func(t *testing.T) {
		s := open(t, "none")
		pipe, await := fifo(t)
		// The main process has ended, but the tree lives on in its grace period.
		p := shell(`(trap '' TERM; echo ready >` + pipe + `; while :; do sleep 1000; done) & trap 'exit 9' TERM; echo ready >` + pipe + `; while :; do sleep 0.01; done`)
		p.Grace = time.Hour
		start(t, s, p)
		await(2)
		st := readStateOf(t, s)
		child, err := st.Child.open()
		if err != nil {
			t.Fatal(err)
		}
		defer child.close()
		exits := make(chan ml.Exit)
		go func() {
			exit, err := s.Wait(t.Context(), testID)
			if err != nil {
				t.Error(err)
			}
			exits <- exit
		}()
		for { // until the waiter holds the child as well
			if s.mu.Lock(); len(s.turns) == 0 && len(pidfds(t)) >= 3 {
				s.mu.Unlock()
				break
			}
			s.mu.Unlock()
		}
		stop(t, s)
		if err := child.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, ok := child.exitStatus(); !ok {
			t.Log("this kernel does not tell")
			kill(t, s)
			<-exits
			return
		}
		kill(t, s)
		if exit := <-exits; exit.Code != 9 || exit.Lost || !exit.Stopped || !strings.HasPrefix(exit.Reason, reasonShimKilled) {
			t.Errorf("exit: %+v", exit)
		}
	})
}

// awaitEnd returns when a process has ended.
func awaitEnd(t *testing.T, p process) {
	t.Helper()
	h, err := p.open()
	if errors.Is(err, errGone) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if err := h.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func pidfds(t *testing.T) (found []string) {
	t.Helper()
	for _, name := range openFiles(t) {
		if strings.Contains(name, "pidfd") {
			found = append(found, name)
		}
	}
	return found
}

func TestHostRestarted(t *testing.T) {
	edit := func(t *testing.T, dir, name string, v any, change func()) {
		t.Helper()
		if err := readJSON(dir, name, v); err != nil {
			t.Fatal(err)
		}
		change()
		if err := writeJSON(dir, name, v, surviveKill); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("WhileItRan", func(t *testing.T) {
		s := open(t, "none")
		// The traces of an earlier boot, with pids that now are somebody else's.
		innocent := exec.Command("sleep", "100")
		if err := innocent.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { innocent.Process.Kill(); innocent.Wait() }()
		run(t, s, shell("echo text"))
		awaitEnd(t, readStateOf(t, s).Shim)
		dir := s.Folder(testID)
		if err := os.Remove(filepath.Join(dir, ml.FileExit)); err != nil {
			t.Fatal(err)
		}
		var sp spec
		edit(t, dir, ml.FileSpec, &sp, func() { sp.BootID = "an earlier one" })
		var st state
		edit(t, dir, ml.FileState, &st, func() {
			st.BootID = "an earlier one"
			who, err := identify(innocent.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			st.Shim, st.Child = who, who
		})
		next := reopen(t, s.dir, "none")
		stop(t, next)
		exit := wait(t, next)
		if !exit.Lost || exit.Reason != reasonRestarted || exit.Code != -1 {
			t.Errorf("exit: %+v", exit)
		}
		if err := innocent.Process.Signal(unix.Signal(0)); err != nil {
			t.Errorf("a stranger was killed: %v", err)
		}
	})
	t.Run("BeforeItRan", func(t *testing.T) {
		s := open(t, "none")
		dir := s.Folder(testID)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := writeJSON(dir, ml.FileSpec, spec{ID: testID, BootID: "an earlier one", Process: shell("echo ran")}, surviveKill); err != nil {
			t.Fatal(err)
		}
		start(t, s, shell("echo ran"))
		if exit := wait(t, s); !exit.Lost || exit.Reason != reasonRestarted {
			t.Errorf("exit: %+v", exit)
		}
		if exists(dir, ml.FileStdout) {
			t.Error("it ran")
		}
	})
	t.Run("TornSpec", func(t *testing.T) {
		s := open(t, "none")
		dir := s.Folder(testID)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		whole, err := json.Marshal(spec{ID: testID, Process: shell("exit 1")})
		if err != nil {
			t.Fatal(err)
		}
		for _, torn := range []string{"", string(make([]byte, len(whole))), string(whole[:20])} {
			if err := os.WriteFile(filepath.Join(dir, ml.FileSpec), []byte(torn), 0o600); err != nil {
				t.Fatal(err)
			}
			if s.Started(testID) {
				t.Errorf("started by %q", torn)
			}
		}
		if exit := run(t, s, shell("exit 6")); exit.Code != 6 {
			t.Errorf("exit: %+v", exit)
		}
	})
}

func TestShimMain_Refuses(t *testing.T) {
	s := open(t, "none")
	run(t, s, shell("echo once"))
	dir := s.Folder(testID)
	out, err := exec.Command(self(), "task", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "this command is for Hearth itself") {
		t.Errorf("%v: %s", err, out)
	}
	if got := stdout(t, s); got != "once\n" {
		t.Errorf("stdout %q", got)
	}
}
