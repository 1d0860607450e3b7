package scheduler

import (
	"cmp"
	"slices"

	"hearth/ml"
	"hearth/storage/metadata"
)

// Snapshot is what the scheduler is at.
type Snapshot struct {
	// Total is what jobs may lease, Free what of it is left.
	Total, Free ml.Resources
	// Running are the jobs that hold a lease, Queue those that wait, both in
	// submit order.
	Running []RunningJob
	Queue   []QueuedJob
}

// RunningJob is a job that holds a lease.
type RunningJob struct {
	Project, Job, Attempt string
	Lease                 metadata.Lease
}

// QueuedJob is a job that waits.
type QueuedJob struct {
	Project, Job string
	Needs        ml.Resources
}

// Snapshot tells what the scheduler is at. It never blocks and must not be
// changed.
func (s *Scheduler) Snapshot() *Snapshot { return s.snapshot.Load() }

// publish renews the snapshot.
func (l *loop) publish() {
	snap := &Snapshot{Total: l.slots.total, Free: l.slots.free()}
	runs := make([]*run, 0, len(l.runs))
	for _, r := range l.runs {
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b *run) int {
		return cmp.Or(a.job.CreateTime.Compare(b.job.CreateTime.Time), cmp.Compare(a.attempt.ID, b.attempt.ID))
	})
	for _, r := range runs {
		snap.Running = append(snap.Running, RunningJob{r.project, r.job.JobID, r.attempt.ID, r.attempt.Lease})
	}
	for _, w := range l.queue {
		snap.Queue = append(snap.Queue, QueuedJob{w.project, w.job, w.need})
	}
	l.snapshot.Store(snap)
}
