package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"hearth/ml"
	"hearth/ml/crash"
	"hearth/scheduler/runtimes"
	"hearth/scheduler/training"
	"hearth/storage/metadata"
)

// failure ends a job as FAILED with a message for its owner.
type failure struct {
	message string
	exit    *ml.Exit
}

func (f *failure) Error() string { return f.message }

// errCancelled ends a job that has been cancelled.
var errCancelled = errors.New("cancelled")

// drive takes a job that holds its lease to its end. It begins wherever the
// job is: each step looks whether it has been done. When ctx ends it leaves the
// job as it is.
func (s *Scheduler) drive(ctx context.Context, r *run) {
	exit, err := s.carry(ctx, r)
	if ctx.Err() != nil {
		return
	}
	s.finish(ctx, r, s.outcome(r, exit, err))
}

// carry does the steps: prepare, start, wait.
func (s *Scheduler) carry(ctx context.Context, r *run) (ml.Exit, error) {
	if err := s.launch(ctx, r); err != nil {
		return ml.Exit{}, err
	}
	crash.Point("process started")
	job, err := s.o.DB.SetJobRunning(r.project, r.job.JobID)
	if err != nil {
		return ml.Exit{}, fmt.Errorf("set job running: %w", err)
	}
	crash.Point("job running")
	if job.State == ml.JobRunning {
		s.logger(r.jobKey).Info().Str("state", string(job.State)).Msg("job runs")
	}
	limit := r.job.TrainingInput.MaxRunningTime()
	var deadline time.Time
	if !job.StartTime.IsZero() {
		deadline = job.StartTime.Add(limit)
	}
	exit, err := s.await(ctx, r, r.replica(), deadline)
	if err == nil && exit.Stopped && !r.isCancelled() {
		return exit, &failure{fmt.Sprintf("The job ran longer than its maximum running time of %s and was stopped.", limit), &exit}
	}
	return exit, err
}

// launch prepares and starts the replica, unless that was done before.
func (s *Scheduler) launch(ctx context.Context, r *run) error {
	if s.o.Executor.Started(r.replica()) {
		if !r.isCancelled() {
			return nil
		}
		// Before anybody waits for it: that would finish an interrupted start.
		if err := s.o.Executor.Stop(ctx, r.replica()); err != nil {
			return fmt.Errorf("stop the replica: %w", err)
		}
		return nil
	}
	p, err := s.prepare(ctx, r)
	if r.isCancelled() {
		return s.abandon(ctx, r)
	}
	if err != nil {
		return err
	}
	crash.Point("job prepared")
	if err := s.o.Executor.Start(ctx, r.replica(), p); err != nil {
		return fmt.Errorf("start the replica: %w", err)
	}
	s.o.Logs.Service(r.attempt.ID).Info("Running %s: python -m %s", training.Task, r.job.TrainingInput.PythonModule)
	return nil
}

// abandon ends the preparation of a cancelled job.
func (s *Scheduler) abandon(ctx context.Context, r *run) error {
	if s.o.Executor.Started(r.environment()) {
		if err := s.o.Executor.Stop(ctx, r.environment()); err != nil {
			return fmt.Errorf("stop the installer: %w", err)
		}
		if _, err := s.o.Executor.Wait(ctx, r.environment()); err != nil {
			return fmt.Errorf("wait for the installer: %w", err)
		}
	}
	return errCancelled
}

// prepare gets everything ready that the replica needs and describes it. It
// ends early when the job is cancelled.
func (s *Scheduler) prepare(ctx context.Context, r *run) (ml.Process, error) {
	folder := training.Folder(s.o.Executor.Folder(r.attempt.ID))
	if err := folder.Prepare(); err != nil {
		return ml.Process{}, err
	}
	log := s.o.Logs.Service(r.attempt.ID)
	in := r.job.TrainingInput
	runtime, err := s.o.Runtimes.Get(in.RuntimeVersion)
	if err != nil {
		return ml.Process{}, err
	}
	log.Info("Preparing job %s: runtime %s (TensorFlow %s, Python %s), %s.", r.jobKey.job, runtime.Name, runtime.TensorFlow, runtime.Python, r.attempt.Lease.Resources)
	for _, w := range training.Warnings(in) {
		log.Warn("%s", w)
	}
	environment, err := s.environment(ctx, r, folder, runtime)
	if err != nil {
		return ml.Process{}, err
	}
	return training.Replica{
		Project:     r.project,
		Job:         r.job,
		Folder:      folder,
		Runtime:     runtime,
		Environment: environment,
		Access:      s.o.Access,
		Secret:      training.Secret(s.o.SecretKey, r.project, r.jobKey.job),
		GPUs:        r.attempt.Lease.GPUs,
		Limits:      s.limits(),
		Grace:       s.o.Grace,
	}.Process()
}

func (s *Scheduler) limits() ml.Limits { return ml.Limits{MemoryBytes: s.o.MemoryLimit} }

// environment finds the environment with the job's packages, or lets a process
// of its own build it.
func (s *Scheduler) environment(ctx context.Context, r *run, folder training.Folder, runtime *runtimes.Runtime) (*runtimes.Environment, error) {
	fetching, cancel := r.context(ctx)
	defer cancel()
	packages, err := folder.Fetch(fetching, s.open, r.job.TrainingInput.PackageURIs)
	if err != nil {
		return nil, err
	}
	key, err := runtimes.Key(runtime, packages)
	if err != nil {
		return nil, err
	}
	if e, err := s.o.Runtimes.Environment(key); e != nil || err != nil {
		return e, err
	}
	p, err := s.o.Runtimes.BuildProcess(s.o.Runtimes.Spec(key, runtime, packages), folder.EnvironmentSpec())
	if err != nil {
		return nil, err
	}
	p.Dir, p.Limits, p.Weight, p.Grace = folder.Work(), s.limits(), ml.WeightIdle, s.o.Grace
	p.Env = append(p.Env, "TMPDIR="+folder.Temp())
	s.o.Logs.Service(r.attempt.ID).Info("Installing the trainer's packages.")
	if err := s.o.Executor.Start(ctx, r.environment(), p); err != nil {
		return nil, fmt.Errorf("start the installer: %w", err)
	}
	exit, err := s.await(ctx, r, r.environment(), time.Time{})
	if err != nil {
		return nil, err
	}
	if r.isCancelled() {
		return nil, errCancelled
	}
	e, err := s.o.Runtimes.Environment(key)
	if e == nil && err == nil {
		stderr, _ := s.o.Logs.Tail(r.environment(), tailLines)
		err = &failure{training.EnvironmentFailure(exit, stderr, s.o.MemoryLimit), &exit}
	}
	return e, err
}

func (s *Scheduler) open(ctx context.Context, bucket, name string) (io.ReadCloser, error) {
	return s.o.Objects.Open(ctx, bucket, name)
}

// await waits for a process to end. It stops the process when the job is
// cancelled or the deadline (zero: none) passes.
func (s *Scheduler) await(ctx context.Context, r *run, process string, deadline time.Time) (ml.Exit, error) {
	type result struct {
		exit ml.Exit
		err  error
	}
	ended := make(chan result, 1)
	go func() {
		exit, err := s.o.Executor.Wait(ctx, process)
		ended <- result{exit, err}
	}()
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	cancelled := r.cancelled
	for {
		select {
		case e := <-ended:
			if e.err != nil {
				return e.exit, fmt.Errorf("wait for %s: %w", process, e.err)
			}
			crash.Point("process ended")
			return e.exit, nil
		case <-cancelled:
			cancelled = nil
		case <-late:
			late = nil
		}
		if err := s.o.Executor.Stop(ctx, process); err != nil && ctx.Err() == nil {
			return ml.Exit{}, fmt.Errorf("stop %s: %w", process, err)
		}
	}
}

// outcome says how a job ended.
func (s *Scheduler) outcome(r *run, exit ml.Exit, err error) metadata.Finish {
	failed := &failure{}
	shown := &ml.Error{}
	switch {
	case errors.Is(err, errCancelled):
		return metadata.Finish{State: ml.JobCancelled}
	case r.isCancelled():
		return metadata.Finish{State: ml.JobCancelled, Exit: &exit}
	case errors.As(err, &failed):
		return metadata.Finish{State: ml.JobFailed, ErrorMessage: failed.message, Exit: failed.exit}
	case errors.As(err, &shown):
		return metadata.Finish{State: ml.JobFailed, ErrorMessage: "The job could not be prepared: " + shown.Message}
	case err != nil:
		s.logger(r.jobKey).Error().Err(err).Str("attempt", r.attempt.ID).Msg("job ended by an internal error")
		return metadata.Finish{State: ml.JobFailed, ErrorMessage: "The job ended because of an internal error; the daemon's log says more."}
	case exit.Code == 0 && !exit.OutOfMemory && !exit.Lost:
		return metadata.Finish{State: ml.JobSucceeded, Exit: &exit}
	}
	stderr, _ := s.o.Logs.Tail(r.replica(), tailLines)
	return metadata.Finish{State: ml.JobFailed, ErrorMessage: training.Failure(exit, stderr, s.o.MemoryLimit), Exit: &exit}
}

// tailLines is how much of a log is searched for its last traceback.
const tailLines = 400
