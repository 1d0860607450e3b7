package scheduler

import (
	"context"
	"fmt"
	"time"

	"hearth/ml"
	"hearth/ml/crash"
	"hearth/scheduler/training"
	"hearth/storage/metadata"
)

// drive takes a job that holds its lease to its end. It begins wherever the
// job is: each step looks whether it has been done. When ctx ends it leaves the
// job as it is.
func (s *Scheduler) drive(ctx context.Context, r *run) {
	exits, err := s.carry(ctx, r)
	if ctx.Err() != nil {
		return
	}
	s.finish(ctx, r, s.outcome(r, exits, err))
}

// carry does the steps: prepare, start, wait.
func (s *Scheduler) carry(ctx context.Context, r *run) ([]ml.Exit, error) {
	if err := s.launch(ctx, r); err != nil {
		return nil, err
	}
	crash.Point("process started")
	job, err := s.o.DB.SetJobRunning(r.project, r.job.JobID)
	if err != nil {
		return nil, fmt.Errorf("set job running: %w", err)
	}
	crash.Point("job running")
	if job.State == ml.JobRunning {
		s.logger(r.jobKey).Info().Str("state", string(job.State)).Msg("job runs")
		s.inbox.put(func(l *loop) { r.started = job.StartTime.Time })
	}
	limit := r.job.MaxRunningTime()
	var deadline time.Time
	if !job.StartTime.IsZero() {
		deadline = job.StartTime.Add(limit)
	}
	exits, late, err := s.watch(ctx, r, deadline)
	if err == nil && late && exits[0].Stopped && !r.isCancelled() {
		return exits, &failure{message: fmt.Sprintf("The job ran longer than its maximum running time of %s and was stopped.", limit), exit: &exits[0]}
	}
	return exits, err
}

// launch prepares and starts the replicas, unless that was done before. They
// start together or not at all: what a crash has interrupted is completed, and
// if one cannot start, those that have are ended.
func (s *Scheduler) launch(ctx context.Context, r *run) error {
	started := s.started(r)
	whole := len(started) == len(r.attempt.Replicas)
	switch {
	case r.isCancelled() && whole:
		// Before anybody waits for them: that would finish an interrupted start.
		return s.end(ctx, started)
	case r.isCancelled() && len(started) > 0:
		return s.abandon(ctx, r)
	case whole:
		return nil
	}
	program, err := s.prepare(ctx, r)
	if r.isCancelled() {
		return s.abandon(ctx, r)
	}
	if err != nil {
		return err
	}
	crash.Point("job prepared")
	if err := s.startAll(ctx, r, program); err != nil {
		return err
	}
	s.o.Logs.Service(r.attempt.ID).Info("Running %s: %s", r.tasks(), commandLine(r.job))
	return nil
}

// commandLine says for people what a job runs.
func commandLine(job *ml.Job) string {
	if job.PredictionInput != nil {
		return "hearth batch-predict"
	}
	return "python -m " + job.TrainingInput.PythonModule
}

// program describes the processes of a job.
type program interface {
	Process(metadata.Replica) (ml.Process, error)
}

func (s *Scheduler) startAll(ctx context.Context, r *run, program program) error {
	for i, replica := range r.attempt.Replicas {
		p, err := program.Process(replica)
		if err == nil {
			err = s.o.Executor.Start(ctx, r.process(replica), p)
		}
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("start the replica %s: %w", replica, err)
			return s.endAfter(ctx, r, err)
		}
		if err != nil {
			return err
		}
		if i == 0 {
			crash.Point("first replica started")
		}
	}
	return nil
}

// endAfter ends what runs of an attempt that cannot go on because of err, and
// gives err back.
func (s *Scheduler) endAfter(ctx context.Context, r *run, err error) error {
	started := s.started(r)
	if stop := s.end(ctx, started); stop != nil {
		return fmt.Errorf("%w; %w", err, stop)
	}
	for _, id := range started {
		if _, wait := s.o.Executor.Wait(ctx, id); wait != nil {
			return fmt.Errorf("%w; wait for %s: %w", err, id, wait)
		}
	}
	return err
}

// abandon ends the preparation of a cancelled job, and with it those of its
// replicas that a crash had let start without the others.
func (s *Scheduler) abandon(ctx context.Context, r *run) error {
	if s.o.Executor.Started(r.environment()) {
		if err := s.end(ctx, []string{r.environment()}); err != nil {
			return err
		}
		if _, err := s.o.Executor.Wait(ctx, r.environment()); err != nil {
			return fmt.Errorf("wait for the installer: %w", err)
		}
	}
	return s.endAfter(ctx, r, errCancelled)
}

// started lists the processes of the attempt's replicas that have been started.
func (s *Scheduler) started(r *run) []string {
	var ids []string
	for _, replica := range r.attempt.Replicas {
		if id := r.process(replica); s.o.Executor.Started(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// end asks processes to end.
func (s *Scheduler) end(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if err := s.o.Executor.Stop(ctx, id); err != nil {
			return fmt.Errorf("stop %s: %w", id, err)
		}
	}
	return nil
}

// process names the process of a replica.
func (r *run) process(replica metadata.Replica) string { return r.attempt.ID + "/" + replica.Task() }

// environment names the process that installs the packages.
func (r *run) environment() string { return r.attempt.ID + "/" + training.EnvironmentTask }

// tasks says for people which replicas there are.
func (r *run) tasks() string {
	if n := len(r.attempt.Replicas); n > 1 {
		return fmt.Sprintf("%d replicas", n)
	}
	return r.attempt.Replicas[0].Task()
}
