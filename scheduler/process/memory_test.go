package process

import (
	"strings"
	"testing"
	"time"

	"hearth/ml"
)

func TestLimits(t *testing.T) {
	limited := func(program string) ml.Process {
		p := shell(program)
		p.Limits.MemoryBytes = 256 << 20
		p.Grace = 10 * time.Second
		return p
	}
	check := func(t *testing.T, exit ml.Exit, code int) {
		t.Helper()
		if !exit.OutOfMemory || exit.Code != code || exit.Stopped || exit.Lost || !strings.Contains(exit.Reason, "256.0 MiB") {
			t.Errorf("exit: %+v", exit)
		}
	}
	t.Run("MemoryOfTheMainProcess", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			check(t, run(t, s, limited("exec $SELF test-hog 1000")), 137)
		})
	})
	t.Run("MemoryOfAGrandchild", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			check(t, run(t, s, limited("(setsid $SELF test-hog 1000; :) & while :; do sleep 1000; done")), 137)
		})
	})
	t.Run("MainProcessFailsAfterItsChild", func(t *testing.T) {
		s := open(t, "cgroup")
		if g := s.placement.stem; g.v2(g.Memory) {
			t.Skip("version 2 kills the whole group at once")
		}
		check(t, run(t, s, limited("$SELF test-hog 1000; exit 3")), 3)
	})
	t.Run("BelowTheLimit", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			pipe, await := fifo(t)
			start(t, s, limited("$SELF test-hog 30 >"+pipe))
			await(1)
			stop(t, s)
			if exit := wait(t, s); exit.OutOfMemory || !exit.Stopped {
				t.Errorf("exit: %+v", exit)
			}
		})
	})
	t.Run("Processes", func(t *testing.T) {
		s := open(t, "cgroup")
		if s.placement.stem.Pids == "" {
			t.Skip("no pids controller here")
		}
		p := shell("for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo never")
		p.Limits.Pids = 5
		if exit := run(t, s, p); exit.Code == 0 || stdout(t, s) != "" {
			t.Errorf("exit: %+v, stdout %q", exit, stdout(t, s))
		}
	})
	t.Run("OneProcess", func(t *testing.T) {
		s := open(t, "cgroup")
		p := shell("exit 0")
		p.Limits.Pids = 1
		if exit := run(t, s, p); exit.Code != 0 {
			t.Errorf("exit: %+v", exit)
		}
	})
}
