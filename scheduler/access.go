package scheduler

import (
	"hearth/ml"
	"hearth/scheduler/training"
)

// Authenticate checks the password that a job has shown. UNAUTHENTICATED if it
// is wrong or the job does not run: an identity lasts as long as its attempt.
func (s *Scheduler) Authenticate(project, job, secret string) error {
	a, err := s.o.DB.LatestAttempt(project, job)
	if err != nil && ml.KindOf(err) != ml.NotFound {
		return err
	}
	if err != nil || !a.Ended.IsZero() || !training.SecretMatches(secret, a.SecretHash) {
		return ml.Errorf(ml.Unauthenticated, "These are not the credentials of a running job.")
	}
	return nil
}

// CheckRuntimeUnused is FAILED_PRECONDITION while an unfinished job needs the
// runtime.
func (s *Scheduler) CheckRuntimeUnused(name string) error {
	records, err := s.o.DB.UnfinishedJobs()
	if err != nil {
		return err
	}
	for _, rec := range records {
		if s.runtimeOf(rec) == name {
			return ml.Errorf(ml.FailedPrecondition, "Runtime %s is needed by job %s, which is %s.", name, rec.Job.JobID, rec.Job.State)
		}
	}
	return nil
}
