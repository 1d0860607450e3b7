package scheduler

import (
	"context"
	"fmt"

	"hearth/ml"
)

// recover takes the jobs of the last daemon in hand. All leases are known
// again before anything can start.
func (l *loop) recover(ctx context.Context) error {
	if err := l.recoverTenants(); err != nil {
		return err
	}
	records, err := l.o.DB.UnfinishedJobs()
	if err != nil {
		return fmt.Errorf("read unfinished jobs: %w", err)
	}
	for _, rec := range records {
		if rec.Job.State == ml.JobQueued && rec.Attempt != nil {
			l.enqueueAgain(rec.Project, rec.Job)
			continue
		}
		if rec.Job.State == ml.JobQueued {
			l.enqueue(rec.Project, rec.Job)
			continue
		}
		if rec.Attempt == nil {
			return fmt.Errorf("job %s is %s but has no attempt", rec.Job.JobID, rec.Job.State)
		}
		r := newRun(rec.Project, rec.Job, rec.Attempt)
		r.started = rec.Job.StartTime.Time
		if rec.Job.State == ml.JobCancelling {
			close(r.cancelled)
		}
		l.logger(r.jobKey).Info().Str("attempt", r.attempt.ID).Str("state", string(rec.Job.State)).Msg("job taken up again")
		l.attach(ctx, r)
	}
	return nil
}
