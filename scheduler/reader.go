package scheduler

import "hearth/ml"

// Job returns a job, with its position in the queue (from 1) while it is
// QUEUED. NOT_FOUND if there is none.
func (s *Scheduler) Job(project, id string) (*ml.Job, error) {
	job, err := s.o.DB.Job(project, id)
	if err == nil {
		s.position(project, job)
		s.predictionProgress(project, job)
	}
	return job, err
}

// Jobs lists a project's jobs as [metadata.DB.Jobs] does, with their positions
// in the queue.
func (s *Scheduler) Jobs(project string, pageSize int, pageToken string) (jobs []*ml.Job, next string, err error) {
	jobs, next, err = s.o.DB.Jobs(project, pageSize, pageToken)
	for _, job := range jobs {
		s.position(project, job)
		s.predictionProgress(project, job)
	}
	return jobs, next, err
}

// position tells a QUEUED job where in the queue it is, or will be in a moment.
func (s *Scheduler) position(project string, job *ml.Job) {
	if job.State != ml.JobQueued {
		return
	}
	w := newWaiting(project, job, s.o.Machines, ml.Resources{})
	job.JobPosition = ml.Int64(place(s.Snapshot().queue, w) + 1)
}
