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
	f.Prediction = s.predictionOutput(r)
	end := func() (*ml.Job, error) { return s.o.DB.FinishJob(r.project, r.job.JobID, f) }
	if why, ok := s.again(r, f); ok {
		s.o.Logs.Service(r.attempt.ID).Warn("%s", why)
		end = func() (*ml.Job, error) { return s.o.DB.RequeueJob(r.project, r.job.JobID, f.Exit) }
	} else {
		s.tellEnd(r, f)
	}
	job, err := end()
	for err != nil {
		log.Error().Err(err).Msg("database refused a write; trying again")
		select {
		case <-time.After(retryDelay):
			job, err = end()
		case <-ctx.Done():
			return
		}
	}
	if job.State == ml.JobCancelling {
		// It was cancelled while it was about to be queued again.
		s.finish(ctx, r, metadata.Finish{State: ml.JobCancelled, Exit: f.Exit})
		return
	}
	crash.Point("job finished")
	s.clearPrediction(r, job)
	log.Info().Str("state", string(job.State)).Str("reason", job.ErrorMessage).Msg("job's attempt ended")
	s.inbox.put(func(l *loop) { l.finished(r, job) })
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

func (l *loop) finished(r *run, job *ml.Job) {
	delete(l.runs, r.jobKey)
	l.slots.release(r.jobKey)
	if job.State == ml.JobSucceeded {
		l.history.add(r.job.Program(), job.EndTime.Sub(job.StartTime.Time))
	}
	if job.State == ml.JobQueued {
		l.enqueueAgain(r.project, job)
	}
}
