package process

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

func TestSupervisor_Start(t *testing.T) {
	t.Run("ExitCodes", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			for program, want := range map[string]ml.Exit{
				"exit 0":        {},
				"exit 7":        {Code: 7},
				"exit 255":      {Code: 255},
				"kill -9 $$":    {Code: 137, Signal: "SIGKILL"},
				"kill -SEGV $$": {Code: 139, Signal: "SIGSEGV"},
				"kill -HUP $$":  {Code: 129, Signal: "SIGHUP"},
			} {
				id := fmt.Sprintf("hearth.job.1/t%d", len(program))
				id += strings.Map(func(r rune) rune {
					if r == ' ' || r == '$' || r == '-' {
						return -1
					}
					return r
				}, program)
				if err := s.Start(t.Context(), id, shell(program)); err != nil {
					t.Fatal(err)
				}
				got, err := s.Wait(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if time.Since(got.Ended.Time) > time.Minute {
					t.Errorf("%s: ended at %v", program, got.Ended)
				}
				got.Ended = ml.Timestamp{}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: (-want +got)\n%s", program, diff)
				}
			}
		})
	})
	t.Run("EnvironmentIsExact", func(t *testing.T) {
		s := open(t, "none")
		t.Setenv("LEAK", "from the daemon")
		p := shell("")
		p.Args = []string{"env"}
		p.Env = []string{"PATH=/usr/bin:/bin", "A=1", "EMPTY=", "HEARTH_PROCESS=other"}
		run(t, s, p)
		want := []string{"PATH=/usr/bin:/bin", "A=1", "EMPTY=", "HEARTH_PROCESS=" + s.Folder(testID)}
		got := strings.Split(strings.TrimSpace(stdout(t, s)), "\n")
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("NothingElseIsInherited", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			leak, err := syscall.Dup(int(w.Fd())) // not close-on-exec
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(leak)
			run(t, s, shell(`grep -E '^Sig(Ign|Blk)' /proc/self/status; $SELF test-fds; readlink /proc/$$/fd/0; pwd; cut -d' ' -f1,5,6 /proc/$$/stat`))
			// Signal 32 is the C library's own: its posix_spawn, which make uses,
			// leaves it ignored in all that runs below.
			lines := strings.Split(strings.TrimSpace(strings.Replace(stdout(t, s), "SigIgn:\t0000000080000000", "SigIgn:\t0000000000000000", 1)), "\n")
			child := readStateOf(t, s).Child.Pid
			want := []string{"SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "[0 1 2]", "/dev/null", "/", fmt.Sprintf("%d %d %d", child, child, child)}
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	})
	t.Run("Unexecutable", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			p := shell("")
			p.Args = []string{"no-such-program"}
			exit := run(t, s, p)
			if exit.Code != -1 || exit.Lost || !strings.Contains(exit.Reason, "no-such-program") {
				t.Errorf("exit: %+v", exit)
			}
		})
	})
	t.Run("MissingFolder", func(t *testing.T) {
		s := open(t, "none")
		p := shell("exit 0")
		p.Dir = "/no/such/folder"
		exit := run(t, s, p)
		if exit.Code != -1 || !strings.Contains(exit.Reason, "/no/such/folder") {
			t.Errorf("exit: %+v", exit)
		}
	})
	t.Run("RunsOnceHoweverOftenAsked", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			other := reopen(t, s.dir, modeOf(s)) // as if two daemons overlapped
			var wg sync.WaitGroup
			for i := range 12 {
				wg.Go(func() {
					by := s
					if i%2 == 1 {
						by = other
					}
					if err := by.Start(t.Context(), testID, shell("echo ran; sleep 0.05")); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			wait(t, s)
			start(t, s, shell("echo again"))
			wait(t, s)
			if got := stdout(t, s); got != "ran\n" {
				t.Errorf("stdout %q", got)
			}
		})
	})
	t.Run("AllOutputIsThere", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			run(t, s, shell(`i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done`))
			lines := strings.Split(strings.TrimSuffix(stdout(t, s), "\n"), "\n")
			if len(lines) != 1000 || lines[0] != "line 0" || lines[999] != "line 999" {
				t.Errorf("%d lines, from %q to %q", len(lines), lines[0], lines[len(lines)-1])
			}
		})
	})
	t.Run("BadIDs", func(t *testing.T) {
		s := open(t, "none")
		for _, id := range []string{"", "a", "a/b/c", "../b", "a/..", "a/.b", "/b", "a/", "a/b\n"} {
			if err := s.Start(t.Context(), id, shell("exit 0")); ml.KindOf(err) != ml.InvalidArgument {
				t.Errorf("%q: %v", id, err)
			}
		}
	})
	t.Run("Started", func(t *testing.T) {
		s := open(t, "none")
		if s.Started(testID) {
			t.Error("started before Start")
		}
		run(t, s, shell("exit 0"))
		if !s.Started(testID) {
			t.Error("not started after Start")
		}
	})
}

func TestSupervisor_Groups(t *testing.T) {
	s := open(t, "cgroup")
	path, await := fifo(t)
	p := shell("cat /proc/self/cgroup; echo ready >" + path + "; exec sleep 100")
	p.Weight = ml.WeightIdle
	p.Limits = ml.Limits{MemoryBytes: 64 << 20, Pids: 50}
	start(t, s, p)
	await(1)
	g := readStateOf(t, s).Group
	t.Run("BornInside", func(t *testing.T) {
		own := parseHierarchies(read(t, "/proc/self/mountinfo"), stdout(t, s))
		dirs := []string{own.unified}
		for _, d := range own.legacy {
			dirs = append(dirs, d)
		}
		for _, dir := range g.folders() {
			if !slices.Contains(dirs, dir) {
				t.Errorf("not born in %s but in\n%s", dir, stdout(t, s))
			}
		}
		if g.Pids != "" {
			if got := words(g.Pids, "pids.max"); !slices.Equal(got, []string{"50"}) {
				t.Errorf("pids.max %v", got)
			}
		}
	})
	t.Run("ShimStaysOutside", func(t *testing.T) {
		shim := readStateOf(t, s).Shim.Pid
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", shim))
		for _, task := range tasks {
			if got := read(t, fmt.Sprintf("/proc/%d/task/%s/cgroup", shim, task.Name())); strings.Contains(got, "hearth-") {
				t.Errorf("thread %s of the shim is in\n%s", task.Name(), got)
			}
		}
	})
	t.Run("SetWeight", func(t *testing.T) {
		if _, err := os.Stat(filepath.Join(g.CPU, "cpu.idle")); err != nil {
			t.Skip("no cpu.idle here")
		}
		for _, step := range []struct {
			weight ml.Weight
			idle   string
		}{{"", "1"}, {ml.WeightNormal, "0"}, {ml.WeightIdle, "1"}} {
			if step.weight != "" {
				if err := s.SetWeight(testID, step.weight); err != nil {
					t.Fatal(err)
				}
			}
			if got := words(g.CPU, "cpu.idle"); !slices.Equal(got, []string{step.idle}) {
				t.Errorf("after %q: cpu.idle %v", step.weight, got)
			}
		}
	})
	if err := s.Stop(t.Context(), testID); err != nil {
		t.Fatal(err)
	}
	wait(t, s)
	for _, dir := range g.folders() {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is left", dir)
		}
	}
	if err := s.SetWeight(testID, ml.WeightNormal); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

func TestSupervisor_Remove(t *testing.T) {
	s := open(t, "none")
	attempt := filepath.Dir(testID)
	start(t, s, shell("exec sleep 100"))
	if err := s.Remove(attempt); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("while it runs: %v", err)
	}
	if err := s.Stop(t.Context(), testID); err != nil {
		t.Fatal(err)
	}
	wait(t, s)
	for range 2 {
		if err := s.Remove(attempt); err != nil {
			t.Fatal(err)
		}
		if entries, _ := os.ReadDir(s.dir); len(entries) != 0 || s.Started(testID) {
			t.Errorf("left: %v", entries)
		}
	}
}

func TestSupervisor_Isolation(t *testing.T) {
	s := open(t, "none")
	i := s.Isolation()
	if i.Level != levelNone || !slices.Contains(i.Detail, "no cgroups: switched off") {
		t.Errorf("%+v", i)
	}
	t.Logf("%+v", open(t, "cgroup").Isolation())
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSupervisor_AskedAndOver(t *testing.T) {
	s := open(t, "none")
	if _, ok := s.Asked(testID); ok || s.Over(testID) {
		t.Error("a process that was never started is known")
	}
	p := shell("")
	p.Args = []string{"sleep", "1000"}
	if err := s.Start(t.Context(), testID, p); err != nil {
		t.Fatal(err)
	}
	if s.Over(testID) {
		t.Error("over while it runs")
	}
	again := shell("something else")
	if err := s.Start(t.Context(), testID, again); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.Asked(testID); !ok || !slices.Equal(got.Args, p.Args) {
		t.Errorf("asked for %q, want the first, %q", got.Args, p.Args)
	}
	if err := s.Stop(t.Context(), testID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Wait(t.Context(), testID); err != nil {
		t.Fatal(err)
	}
	if !s.Over(testID) {
		t.Error("not over after its end")
	}
}
