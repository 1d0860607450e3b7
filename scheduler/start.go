package scheduler

import (
	"context"
	"fmt"

	"hearth/ml"
	"hearth/ml/crash"
	"hearth/scheduler/training"
	"hearth/storage/metadata"
)

// start takes a job out of the queue: the attempt with its lease is in the
// database before anything runs. An error means that the job still waits.
func (l *loop) start(ctx context.Context, w *waiting) error {
	job, err := l.o.DB.Job(w.project, w.job)
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	lease, err := l.slots.offer(w.demand)
	if err != nil {
		return err
	}
	attempt, err := l.o.DB.StartAttempt(w.project, w.job, metadata.Attempt{
		Lease:      lease,
		Replicas:   w.place(lease.GPUs, lease.Ports),
		SecretHash: training.SecretHash(training.Secret(l.o.SecretKey, w.project, w.job)),
	})
	if left(err) {
		l.queue.remove(w.jobKey)
		return nil
	}
	if err != nil {
		return err
	}
	crash.Point("attempt started")
	l.queue.remove(w.jobKey)
	l.logger(w.jobKey).Info().Str("attempt", attempt.ID).Stringer("lease", w.need).Strs("gpus", attempt.Lease.GPUs).Msg("job is being prepared")
	l.attach(ctx, newRun(w.project, job, attempt))
	return nil
}

// refuse ends a job that cannot start.
func (l *loop) refuse(k jobKey, why string) error {
	_, err := l.o.DB.FinishJob(k.project, k.job, metadata.Finish{State: ml.JobFailed, ErrorMessage: why})
	if err != nil && !left(err) {
		return err
	}
	l.queue.remove(k)
	l.logger(k).Info().Str("state", string(ml.JobFailed)).Str("reason", why).Msg("job ended")
	return nil
}

// left reports whether err says that the job is not in the queue any more: it
// was cancelled in the meantime.
func left(err error) bool {
	k := ml.KindOf(err)
	return k == ml.FailedPrecondition || k == ml.NotFound
}
