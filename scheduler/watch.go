package scheduler

import (
	"context"
	"fmt"
	"time"

	"hearth/ml"
	"hearth/ml/crash"
)

// ended is a replica's end, or that it cannot be waited for.
type ended struct {
	replica int
	exit    ml.Exit
	err     error
}

// watch waits until all replicas of a job are gone, and tells how each ended
// and whether the deadline (zero: none) passed first. The end of the master,
// the failure of another, a cancel or the deadline ends them all: parameter
// servers never end by themselves, and many workers do not.
func (s *Scheduler) watch(ctx context.Context, r *run, deadline time.Time) (exits []ml.Exit, late bool, err error) {
	replicas := r.attempt.Replicas
	exits = make([]ml.Exit, len(replicas))
	ends := s.waitAll(ctx, r)
	running := map[int]string{}
	for i, replica := range replicas {
		running[i] = r.process(replica)
	}
	passed, stop := timer(deadline)
	defer stop()
	cancelled := r.cancelled
	for len(running) > 0 {
		select {
		case e := <-ends:
			if e.err != nil {
				return exits, late, fmt.Errorf("wait for %s: %w", running[e.replica], e.err)
			}
			crash.Point("process ended")
			exits[e.replica] = e.exit
			delete(running, e.replica)
			if e.replica > 0 && !failed(e.exit) {
				continue
			}
		case <-cancelled:
			cancelled = nil
		case <-passed:
			passed, late = nil, true
		}
		for _, id := range running {
			if err := s.o.Executor.Stop(ctx, id); err != nil {
				return exits, late, fmt.Errorf("stop %s: %w", id, err)
			}
		}
	}
	return exits, late, nil
}

// waitAll waits for each replica by itself.
func (s *Scheduler) waitAll(ctx context.Context, r *run) <-chan ended {
	ends := make(chan ended, len(r.attempt.Replicas))
	for i, replica := range r.attempt.Replicas {
		go func() {
			exit, err := s.o.Executor.Wait(ctx, r.process(replica))
			ends <- ended{i, exit, err}
		}()
	}
	return ends
}

// timer gives a channel that speaks at the deadline; never, if that is zero.
func timer(deadline time.Time) (<-chan time.Time, func() bool) {
	if deadline.IsZero() {
		return nil, func() bool { return false }
	}
	t := time.NewTimer(time.Until(deadline))
	return t.C, t.Stop
}

// failed reports whether a replica came to a bad end.
func failed(e ml.Exit) bool { return e.Code != 0 || e.OutOfMemory || e.OutOfDisk || e.Lost }

// decisive picks the replica whose end decides the job: the master if it ended
// by itself and well, otherwise the first that failed by itself. Those that
// were asked to end say nothing.
func decisive(exits []ml.Exit) int {
	if !failed(exits[0]) && !exits[0].Stopped {
		return 0
	}
	first := -1
	for i, e := range exits {
		if failed(e) && (!e.Stopped || e.OutOfMemory) && (first < 0 || e.Ended.Before(exits[first].Ended.Time)) {
			first = i
		}
	}
	return max(0, first)
}
