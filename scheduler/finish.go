package scheduler

import (
	"context"
	"time"

	"hearth/ml"
	"hearth/ml/crash"
	"hearth/scheduler/training"
	"hearth/storage/metadata"
)

// finish makes the end of a job durable and then frees its slots. A database
// that cannot write is asked again until ctx ends: after a restart the job
// comes to the same end.
func (s *Scheduler) finish(ctx context.Context, r *run, f metadata.Finish) {
	log := s.logger(r.jobKey)
	if err := training.Folder(s.o.Executor.Folder(r.attempt.ID)).Clear(); err != nil {
		log.Error().Err(err).Msg("clear the attempt's folder")
	}
	s.tellEnd(r, f)
	job, err := s.o.DB.FinishJob(r.project, r.job.JobID, f)
	for err != nil {
		log.Error().Err(err).Msg("database refused a write; trying again")
		select {
		case <-time.After(retryDelay):
			job, err = s.o.DB.FinishJob(r.project, r.job.JobID, f)
		case <-ctx.Done():
			return
		}
	}
	crash.Point("job finished")
	log.Info().Str("state", string(job.State)).Str("reason", job.ErrorMessage).Msg("job ended")
	s.inbox.put(func(l *loop) { l.finished(r) })
}

// tellEnd writes the last line of the job's log: before the job is seen to be
// over, because readers stop then.
func (s *Scheduler) tellEnd(r *run, f metadata.Finish) {
	log := s.o.Logs.Service(r.attempt.ID)
	switch f.State {
	case ml.JobSucceeded:
		log.Info("Job completed successfully.")
	case ml.JobCancelled:
		log.Info("Job cancelled.")
	default:
		log.Error("%s", f.ErrorMessage)
	}
}

func (l *loop) finished(r *run) {
	delete(l.runs, r.jobKey)
	l.slots.release(r.jobKey)
}
