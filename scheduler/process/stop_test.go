package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hearth/ml"
)

// stubborn is a tree that does all it can to live on: its processes ignore
// SIGTERM, leave the session, double-fork and fork again. It tells the pipe
// when each of its 4 processes is there.
func stubborn(pipe string) string {
	return `trap '' TERM HUP
ready() { echo ready >` + pipe + `; }
(ready; while :; do sleep 1000; done) &
setsid sh -c 'trap "" TERM HUP; echo ready >` + pipe + `; while :; do sleep 1000; done' &
(setsid sh -c '(trap "" TERM HUP; echo ready >` + pipe + `; while :; do sleep 1000; done) & exit' & exit)
ready
`
}

func stop(t *testing.T, s *Supervisor) {
	t.Helper()
	if err := s.Stop(t.Context(), testID); err != nil {
		t.Fatal(err)
	}
}

func TestSupervisor_Stop(t *testing.T) {
	t.Run("StubbornTree", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			pipe, await := fifo(t)
			p := shell(stubborn(pipe) + "while :; do sleep 1000; done")
			start(t, s, p)
			await(4)
			began := time.Now()
			stop(t, s)
			exit := wait(t, s)
			if took := time.Since(began); took < p.Grace || took > p.Grace+time.Second {
				t.Errorf("it took %v with a grace period of %v", took, p.Grace)
			}
			if left := alive(s.dir); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if exit.Code != 137 || exit.Signal != "SIGKILL" || !exit.Stopped {
				t.Errorf("exit: %+v", exit)
			}
		})
	})
	t.Run("StraysDieWithTheMainProcess", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			pipe, await := fifo(t)
			end, _ := fifo(t)
			start(t, s, shell(stubborn(pipe)+"read line <"+end+"; exit 3"))
			await(4)
			if err := os.WriteFile(end, []byte("now\n"), 0); err != nil {
				t.Fatal(err)
			}
			if exit := wait(t, s); exit.Code != 3 || exit.Stopped {
				t.Errorf("exit: %+v", exit)
			}
			if left := alive(s.dir); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	})
	t.Run("EachGetsOneTermAndTimeToSave", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			pipe, await := fifo(t)
			// The main shell dies of SIGTERM at once; the trainer below it saves.
			p := shell(`(trap 'echo term; n=$((n+1)); saved=1' TERM; echo ready >` + pipe + `
				while [ -z "$saved" ]; do sleep 0.01; done; sleep 0.1; echo saved $n) & echo ready >` + pipe + `; wait`)
			p.Grace = 10 * time.Second
			start(t, s, p)
			await(2)
			stop(t, s)
			stop(t, s)
			if exit := wait(t, s); exit.Signal != "SIGTERM" || !exit.Stopped {
				t.Errorf("exit: %+v", exit)
			}
			if got := stdout(t, s); got != "term\nsaved 1\n" {
				t.Errorf("stdout %q", got)
			}
		})
	})
	t.Run("BeforeTheChildStarts", func(t *testing.T) {
		s := open(t, "none")
		// As a daemon leaves it that was killed before it started a shim.
		if err := os.MkdirAll(s.Folder(testID), 0o700); err != nil {
			t.Fatal(err)
		}
		p := shell("echo ran")
		if _, err := s.specify(s.Folder(testID), testID, &p); err != nil {
			t.Fatal(err)
		}
		stop(t, s)
		start(t, s, p)
		exit := wait(t, s)
		if exit.Code != -1 || !exit.Stopped || exit.Lost || exit.Reason != reasonNeverStarted {
			t.Errorf("exit: %+v", exit)
		}
		if exists(s.Folder(testID), ml.FileStdout) {
			t.Error("it ran")
		}
	})
	t.Run("WhileTheShimStarts", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			for i := range 8 {
				id := fmt.Sprintf("hearth.job.1/t%d", i)
				started := make(chan error, 1)
				go func() { started <- s.Start(t.Context(), id, shell("exec sleep 100")) }()
				for !s.Started(id) { // the moment of the stop is left to chance
					select {
					case err := <-started:
						started <- err
					default:
					}
				}
				if err := s.Stop(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				exit, err := s.Wait(t.Context(), id)
				if err := errors.Join(err, <-started); err != nil || !exit.Stopped || exit.Lost {
					t.Errorf("exit: %+v, %v", exit, err)
				}
			}
		})
	})
	t.Run("ByDeletingTheFolder", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			pipe, await := fifo(t)
			start(t, s, shell(stubborn(pipe)+"while :; do sleep 1000; done"))
			await(4)
			shim := readStateOf(t, s).Shim
			if err := os.RemoveAll(s.dir); err != nil {
				t.Fatal(err)
			}
			awaitEnd(t, shim)
			s.reap()
		})
	})
	t.Run("Finished", func(t *testing.T) {
		s := open(t, "none")
		run(t, s, shell("exit 0"))
		stop(t, s)
		if exit := wait(t, s); exit.Stopped {
			t.Errorf("exit: %+v", exit)
		}
	})
	t.Run("NeverStarted", func(t *testing.T) {
		s := open(t, "none")
		if err := s.Stop(t.Context(), testID); ml.KindOf(err) != ml.NotFound {
			t.Errorf("Stop: %v", err)
		}
		if _, err := s.Wait(t.Context(), testID); ml.KindOf(err) != ml.NotFound {
			t.Errorf("Wait: %v", err)
		}
	})
}

func TestSupervisor_Wait(t *testing.T) {
	t.Run("CancelledLeaksNothing", func(t *testing.T) {
		s := open(t, "none")
		ignore := goleak.IgnoreCurrent()
		start(t, s, shell("exec sleep 100"))
		before := openFiles(t)
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
			_, err := s.Wait(ctx, testID)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Wait: %v", err)
			}
		}
		if after := openFiles(t); len(after) > len(before) {
			t.Errorf("files open before: %v; after: %v", before, after)
		}
		goleak.VerifyNone(t, ignore)
		stop(t, s)
		wait(t, s)
	})
	t.Run("ManyWaiters", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			pipe, _ := fifo(t)
			start(t, s, shell("read line <"+pipe+"; exit 4"))
			codes := make(chan int)
			for range 10 {
				go func() {
					exit, err := s.Wait(t.Context(), testID)
					if err != nil {
						t.Error(err)
					}
					codes <- exit.Code
				}()
			}
			if err := os.WriteFile(pipe, []byte("go\n"), 0); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				if code := <-codes; code != 4 {
					t.Errorf("code %d", code)
				}
			}
			awaitEnd(t, readStateOf(t, s).Shim)
			s.reap()
			if len(s.zombie) != 0 || len(s.turns) != 0 {
				t.Errorf("kept: %v, %v", s.zombie, s.turns)
			}
		})
	})
}

func openFiles(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		name, _ := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if strings.HasPrefix(name, "anon_inode:[pidfd]") || strings.HasPrefix(name, "/tmp") || strings.HasPrefix(name, "pidfd:") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
