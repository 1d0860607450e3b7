package ml

import "slices"

// JobState is where a job is in its life.
type JobState string

// The states of a job. Succeeded, Failed and Cancelled are final.
const (
	JobQueued     JobState = "QUEUED"
	JobPreparing  JobState = "PREPARING"
	JobRunning    JobState = "RUNNING"
	JobSucceeded  JobState = "SUCCEEDED"
	JobFailed     JobState = "FAILED"
	JobCancelling JobState = "CANCELLING"
	JobCancelled  JobState = "CANCELLED"
)

// The steps back to QUEUED are for attempts that what they run on has failed.
//
// A job whose trainer ends by itself while it is being cancelled is still
// CANCELLED: the user asked for that and was told so.
var jobTransitions = map[JobState][]JobState{
	JobQueued:     {JobPreparing, JobCancelled, JobFailed},
	JobPreparing:  {JobRunning, JobFailed, JobCancelling, JobQueued},
	JobRunning:    {JobSucceeded, JobFailed, JobCancelling, JobQueued},
	JobCancelling: {JobCancelled},
}

// Final reports whether a job in this state will never change again.
func (s JobState) Final() bool { return s == JobSucceeded || s == JobFailed || s == JobCancelled }

// To checks the step from s to next: FAILED_PRECONDITION if it is not legal.
func (s JobState) To(next JobState) error {
	if slices.Contains(jobTransitions[s], next) {
		return nil
	}
	return Errorf(FailedPrecondition, "a job that is %s cannot become %s", s, next)
}

// VersionState is where a version of a model is in its life.
type VersionState string

// The states of a version. A FAILED version can only be deleted.
const (
	VersionCreating VersionState = "CREATING"
	VersionReady    VersionState = "READY"
	VersionFailed   VersionState = "FAILED"
	VersionDeleting VersionState = "DELETING"
	VersionUpdating VersionState = "UPDATING"
)

var versionTransitions = map[VersionState][]VersionState{
	VersionCreating: {VersionReady, VersionFailed, VersionDeleting},
	VersionReady:    {VersionUpdating, VersionDeleting},
	VersionUpdating: {VersionReady, VersionFailed},
	VersionFailed:   {VersionDeleting},
}

// To checks the step from s to next: FAILED_PRECONDITION if it is not legal.
func (s VersionState) To(next VersionState) error {
	if slices.Contains(versionTransitions[s], next) {
		return nil
	}
	return Errorf(FailedPrecondition, "a version that is %s cannot become %s", s, next)
}
