package scheduler

import (
	"errors"
	"fmt"

	"hearth/ml"
	"hearth/scheduler/training"
	"hearth/storage/metadata"
)

// failure ends a job as FAILED with a message for its owner.
type failure struct {
	message string
	exit    *ml.Exit
	// infrastructure is true if it was not the program's doing.
	infrastructure bool
}

func (f *failure) Error() string { return f.message }

func (f *failure) finish() metadata.Finish {
	cause := metadata.CauseProgram
	if f.infrastructure {
		cause = metadata.CauseInfrastructure
	}
	return metadata.Finish{State: ml.JobFailed, ErrorMessage: f.message, Exit: f.exit, Cause: cause}
}

// errCancelled ends a job that has been cancelled.
var errCancelled = errors.New("cancelled")

// tailLines is how much of a log is searched for its last traceback.
const tailLines = 400

// outcome says how a job ended.
func (s *Scheduler) outcome(r *run, exits []ml.Exit, err error) metadata.Finish {
	failed := &failure{}
	shown := &ml.Error{}
	switch {
	case errors.Is(err, errCancelled):
		return metadata.Finish{State: ml.JobCancelled}
	case r.isCancelled() && err == nil:
		return metadata.Finish{State: ml.JobCancelled, Exit: &exits[0]}
	case r.isCancelled():
		return metadata.Finish{State: ml.JobCancelled}
	case errors.As(err, &failed):
		return failed.finish()
	case errors.As(err, &shown):
		return (&failure{message: "The job could not be prepared: " + shown.Message}).finish()
	case err != nil:
		s.logger(r.jobKey).Error().Err(err).Str("attempt", r.attempt.ID).Msg("job ended by an internal error")
		return (&failure{message: "The job ended because of an internal error; the daemon's log says more.", infrastructure: true}).finish()
	}
	return s.verdict(r, exits)
}

// verdict says what the ends of a job's replicas mean for it.
func (s *Scheduler) verdict(r *run, exits []ml.Exit) metadata.Finish {
	i := decisive(exits)
	exit, replica := exits[i], r.attempt.Replicas[i]
	if !failed(exit) {
		return metadata.Finish{State: ml.JobSucceeded, Exit: &exit}
	}
	stderr, _ := s.o.Logs.Tail(r.process(replica), tailLines)
	message := training.Failure(replica.Replica, exit, stderr, s.limits(r).MemoryBytes)
	infrastructure := exit.Lost
	if r.job.PredictionInput != nil {
		message, infrastructure = s.predictionFailure(r, exit, message)
	}
	if fault := s.deviceFault(replica.GPUs); fault != "" {
		message, infrastructure = message+" "+fault+".", true
	}
	if infrastructure {
		message += " This is no fault of the program's."
	}
	return (&failure{message: message, exit: &exit, infrastructure: infrastructure}).finish()
}

// again reports whether a job that ended so is to run once more, and says why
// for its log.
func (s *Scheduler) again(r *run, f metadata.Finish) (why string, ok bool) {
	if r.job.PredictionInput != nil {
		return s.predictAgain(r, f)
	}
	if !s.o.Requeue || f.State != ml.JobFailed || f.Cause != metadata.CauseInfrastructure || f.Exit == nil || r.isCancelled() {
		return "", false
	}
	if r.attempt.Number >= maxAttempts {
		return "", false
	}
	return fmt.Sprintf("%s It waits for its turn again (attempt %d of %d).", f.ErrorMessage, r.attempt.Number+1, maxAttempts), true
}

// maxAttempts is how often a job runs that what it runs on fails: it may be
// the job that brings the host down.
const maxAttempts = 3
