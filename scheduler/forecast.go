package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearth/ml"
)

// Queue tells of the first jobs that wait, at most limit, why each does and
// when it may be expected to start; and of those that run.
func (s *Scheduler) Queue(limit int, now time.Time) ml.Queue {
	snap := s.Snapshot()
	q := ml.Queue{Slots: ml.Slots{Total: snap.Total, Free: snap.Free}, Waiting: snap.Waiting()}
	for _, r := range snap.Running {
		q.Running = append(q.Running, ml.RunningJob{
			Project: r.Project, Job: r.Job, State: r.State, Holds: r.Lease.Resources, GPUs: r.Lease.GPUs,
			StartTime: ml.At(r.Started), ExpectedEndTime: ml.At(r.ends),
		})
	}
	first := snap.queue[:min(limit, len(snap.queue))]
	starts := snap.forecast(first, now)
	for i, w := range first {
		q.Jobs = append(q.Jobs, ml.WaitingJob{
			Project: w.project, Job: w.job, Position: i + 1, Priority: int(w.priority), Needs: w.need,
			CreateTime: ml.At(w.submitted), ExpectedStartTime: ml.At(starts[i]), Reason: snap.reason(i),
		})
	}
	return q
}

// forecast plays the plan forward, with each job running as long as its like
// did, and gives the time at which each of the queue's first jobs starts; zero
// if that hangs on one of which nothing is known.
func (s *Snapshot) forecast(queue []*waiting, now time.Time) []time.Time {
	f := &future{now: now, history: s.history, host: host{total: s.Total, free: s.Free}}
	for _, r := range s.Running {
		f.hold(r.Lease.Resources, r.ends)
	}
	starts, index := make([]time.Time, len(queue)), map[jobKey]int{}
	left := make([]*waiting, len(queue))
	for i, w := range queue {
		// Whether it will have given up by then is another question.
		patient := *w
		patient.maxWait = 0
		left[i], index[w.jobKey] = &patient, i
	}
	for len(left) > 0 {
		actions, _ := plan(left, f.host, now)
		for _, a := range actions {
			left = slices.DeleteFunc(left, func(w *waiting) bool { return w == a.job })
			if a.refuse == "" {
				starts[index[a.job.jobKey]] = f.now
				f.start(a.job)
			}
		}
		if !f.next() {
			break
		}
	}
	return starts
}

// future is the host at a time to come.
type future struct {
	now     time.Time
	history history
	host    host
	// ends says when each of the host's held resources comes back, zero if
	// nobody knows.
	ends []time.Time
}

func (f *future) hold(r ml.Resources, ends time.Time) {
	if !ends.IsZero() && ends.Before(f.now) {
		ends = f.now
	}
	f.host.held, f.ends = append(f.host.held, r), append(f.ends, ends)
}

func (f *future) start(w *waiting) {
	var ends time.Time
	if d, ok := f.history.expect(w.module, w.limit); ok {
		ends = f.now.Add(d)
	}
	f.host.free = f.host.free.Minus(w.need)
	f.hold(w.need, ends)
}

// next goes on to when the next lease comes back, if that is known of any.
func (f *future) next() bool {
	first := -1
	for i, t := range f.ends {
		if !t.IsZero() && (first < 0 || t.Before(f.ends[first])) {
			first = i
		}
	}
	if first < 0 {
		return false
	}
	f.now, f.host.free = f.ends[first], f.host.free.Plus(f.host.held[first])
	f.ends = slices.Delete(f.ends, first, first+1)
	f.host.held = slices.Delete(f.host.held, first, first+1)
	return true
}

// reason says what the i-th job of the queue waits for.
func (s *Snapshot) reason(i int) string {
	w := s.queue[i]
	if short := shortage(w.need, s.Free); short != "" {
		return short
	}
	for _, ahead := range s.queue[:i] {
		if !ahead.need.Fits(s.Free) {
			return fmt.Sprintf("What it needs is kept for %s, which is ahead of it.", ahead.job)
		}
	}
	return "It is about to start."
}

// shortage names what of the need is not free.
func shortage(need, free ml.Resources) string {
	var short []string
	if need.CPUs > free.CPUs {
		short = append(short, fmt.Sprintf("%d CPUs (%d free)", need.CPUs, max(0, free.CPUs)))
	}
	if need.Memory > free.Memory {
		short = append(short, fmt.Sprintf("%.1f GiB of memory (%.1f free)", float64(need.Memory)/gib, float64(max(0, free.Memory))/gib))
	}
	if need.GPUs > free.GPUs {
		short = append(short, fmt.Sprintf("%d GPUs (%d free)", need.GPUs, max(0, free.GPUs)))
	}
	if len(short) == 0 {
		return ""
	}
	return "It needs " + strings.Join(short, ", ") + "."
}
