package scheduler

import (
	"cmp"
	"slices"
	"time"

	"hearth/ml"
	"hearth/storage/metadata"
)

// Snapshot is what the scheduler is at.
type Snapshot struct {
	// Total is what jobs may lease, Free what of it is left.
	Total, Free ml.Resources
	// Running are the jobs that hold a lease, in submit order.
	Running []RunningJob
	GPUs    []GPU
	queue   []*waiting
	history history
}

// RunningJob is a job that holds a lease.
type RunningJob struct {
	Project, Job, Attempt string
	State                 ml.JobState
	Lease                 metadata.Lease
	Replicas              []metadata.Replica
	// Started is when it came to be RUNNING, zero before; ends is when it may
	// be expected to end, zero if nobody knows.
	Started, ends time.Time
	prediction    bool
}

// Waiting is the number of jobs in the queue.
func (s *Snapshot) Waiting() int { return len(s.queue) }

// Snapshot tells what the scheduler is at. It never blocks and must not be
// changed.
func (s *Scheduler) Snapshot() *Snapshot { return s.snapshot.Load() }

// publish renews the snapshot.
func (l *loop) publish() {
	snap := &Snapshot{Total: l.slots.total, Free: l.slots.free(), GPUs: l.slots.describeGPUs(), queue: l.queue.publish(), history: l.history.clone()}
	runs := make([]*run, 0, len(l.runs))
	for _, r := range l.runs {
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b *run) int {
		return cmp.Or(a.job.CreateTime.Compare(b.job.CreateTime.Time), cmp.Compare(a.attempt.ID, b.attempt.ID))
	})
	for _, r := range runs {
		snap.Running = append(snap.Running, RunningJob{
			Project: r.project, Job: r.job.JobID, Attempt: r.attempt.ID, State: r.state(), Lease: r.attempt.Lease, Replicas: r.attempt.Replicas,
			Started: r.started, ends: l.history.end(r), prediction: r.job.PredictionInput != nil,
		})
	}
	l.snapshot.Store(snap)
}

// state is the state of a job that holds a lease.
func (r *run) state() ml.JobState {
	switch {
	case r.isCancelled():
		return ml.JobCancelling
	case r.started.IsZero():
		return ml.JobPreparing
	}
	return ml.JobRunning
}
