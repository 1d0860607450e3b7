package scheduler

import (
	"context"

	"hearth/ml"
)

// Cancel ends a job: one that waits is CANCELLED at once, one that is being
// prepared or runs is CANCELLING until its processes are gone. A job that is
// over stays as it is. NOT_FOUND if there is none. What Cancel has returned
// survives a restart.
func (s *Scheduler) Cancel(_ context.Context, project, id string) error {
	job, err := s.o.DB.CancelJob(project, id)
	if err != nil {
		return err
	}
	k := jobKey{project, id}
	s.logger(k).Info().Str("state", string(job.State)).Msg("cancel requested")
	s.inbox.put(func(l *loop) { l.cancelled(k, job.State) })
	return nil
}

// cancelled passes a wish to cancel on to where the job is.
func (l *loop) cancelled(k jobKey, state ml.JobState) {
	if state.Final() {
		l.queue.remove(k)
		return
	}
	if r := l.runs[k]; r != nil && !r.isCancelled() {
		close(r.cancelled)
	}
}
