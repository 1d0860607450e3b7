package scheduler

import (
	"context"
	"fmt"
	"io"

	"hearth/ml"
	"hearth/scheduler/runtimes"
	"hearth/scheduler/training"
)

// prepare gets everything ready that the replicas need and describes it. It
// ends early when the job is cancelled.
func (s *Scheduler) prepare(ctx context.Context, r *run) (program, error) {
	if r.job.PredictionInput != nil {
		return s.preparePrediction(ctx, r)
	}
	return s.prepareTraining(ctx, r)
}

func (s *Scheduler) prepareTraining(ctx context.Context, r *run) (training.Program, error) {
	none := training.Program{}
	folder := training.Folder(s.o.Executor.Folder(r.attempt.ID))
	tasks := []string{training.EnvironmentTask}
	for _, replica := range r.attempt.Replicas {
		tasks = append(tasks, replica.Task())
	}
	if err := folder.Prepare(tasks...); err != nil {
		return none, err
	}
	in := r.job.TrainingInput
	runtime, err := s.o.Runtimes.Get(in.RuntimeVersion)
	if err != nil {
		return none, err
	}
	if err := s.checkDevices(r, runtime); err != nil {
		return none, err
	}
	s.tellPlan(r, runtime)
	environment, err := s.environment(ctx, r, folder, runtime)
	if err != nil {
		return none, err
	}
	program := training.Program{
		Project:     r.project,
		Job:         r.job,
		Folder:      folder,
		Runtime:     runtime,
		Environment: environment,
		Access:      s.o.Access,
		Secret:      training.Secret(s.o.SecretKey, r.project, r.jobKey.job),
		Replicas:    r.attempt.Replicas,
		Limits:      s.limits(r),
		Rules:       s.o.Rules,
		Grace:       s.o.Grace,
	}
	return program, s.isolate(r, &program)
}

// isolate gives the job's folders to a user of its own, where that is possible,
// and says in its log how it is kept apart.
func (s *Scheduler) isolate(r *run, p *training.Program) error {
	log := s.o.Logs.Service(r.attempt.ID)
	user := r.attempt.Lease.User
	if p.Rules.Off {
		log.Info("Isolation: switched off; the job may do all that the daemon's user may.")
		return nil
	}
	files := "it may touch its own files only"
	if !p.Rules.FilesKept {
		files = "this host cannot keep it to its own files"
	}
	if user == 0 {
		log.Info("Isolation: as the daemon's user without privileges; %s.", files)
		return nil
	}
	if why := p.Unreachable(); why != "" {
		log.Info("Isolation: as the daemon's user without privileges, because %s; %s.", why, files)
		return nil
	}
	p.User = user
	log.Info("Isolation: as user %d; %s.", user, files)
	for _, replica := range r.attempt.Replicas {
		if err := p.Folder.Scratch(replica.Task()).Give(user); err != nil {
			return fmt.Errorf("give the job its folders: %w", err)
		}
	}
	return nil
}

// checkDevices fails a job whose devices do not work, or that its TensorFlow
// would not use: it would run on the processors, and nobody would know why it
// takes so long.
func (s *Scheduler) checkDevices(r *run, runtime *runtimes.Runtime) error {
	gpus := r.attempt.Lease.GPUs
	if fault := s.deviceFault(gpus); fault != "" {
		return &failure{message: "The job's GPUs cannot be used: " + fault + ".", exit: &ml.Exit{Code: -1, Lost: true, Reason: fault}, infrastructure: true}
	}
	if len(gpus) == 0 {
		return nil
	}
	if err := runtime.CheckCUDA(); err != nil {
		return &failure{message: "The job asks for GPUs, and " + err.Error()}
	}
	return nil
}

// tellPlan begins the job's log: what it runs on, and what of the request has
// no effect here.
func (s *Scheduler) tellPlan(r *run, runtime *runtimes.Runtime) {
	log := s.o.Logs.Service(r.attempt.ID)
	log.Info("Preparing job %s: runtime %s (TensorFlow %s, Python %s), %s.", r.jobKey.job, runtime.Name, runtime.TensorFlow, runtime.Python, r.attempt.Lease.Resources)
	if clamped := s.o.Machines.demand(r.job, newSlots(s.o).total).clamped; clamped != "" {
		log.Warn("%s", clamped)
	}
	if r.job.TrainingInput == nil {
		return
	}
	for _, w := range training.Warnings(r.job.TrainingInput) {
		log.Warn("%s", w)
	}
}

// limits bounds each of a job's processes. The replicas share the job's memory
// and disk evenly: one that grows must not push the host out of them with the
// others.
func (s *Scheduler) limits(r *run) ml.Limits {
	n := int64(len(r.attempt.Replicas))
	return ml.Limits{MemoryBytes: s.o.MemoryLimit / n, Pids: s.o.PidsLimit, DiskBytes: s.o.DiskLimit / n, LogBytes: s.o.LogLimit / 2}
}

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
	return s.install(ctx, r, folder, key, s.o.Runtimes.Spec(key, runtime, packages))
}

// install lets a process build an environment and waits for it.
func (s *Scheduler) install(ctx context.Context, r *run, folder training.Folder, key string, spec runtimes.EnvironmentSpec) (*runtimes.Environment, error) {
	p, err := s.o.Runtimes.BuildProcess(spec, folder.EnvironmentSpec())
	if err != nil {
		return nil, err
	}
	scratch := folder.Scratch(training.EnvironmentTask)
	p.Dir, p.Limits, p.Weight, p.Grace = scratch.Work(), ml.Limits{MemoryBytes: s.o.MemoryLimit}, ml.WeightIdle, s.o.Grace
	p.Env = append(p.Env, "TMPDIR="+scratch.Temp())
	p.Scratch, p.Limits.DiskBytes = string(scratch), s.o.DiskLimit
	if s.o.Rules.Off {
		p.Sandbox = nil
	} else {
		p.Sandbox.Temp = scratch.Temp()
		p.Sandbox.Read = append(p.Sandbox.Read, s.o.Rules.Read...)
		p.Sandbox.Write = append(p.Sandbox.Write, string(scratch))
	}
	s.o.Logs.Service(r.attempt.ID).Info("Installing the trainer's packages.")
	if err := s.o.Executor.Start(ctx, r.environment(), p); err != nil {
		return nil, fmt.Errorf("start the installer: %w", err)
	}
	exit, err := s.awaitInstall(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.isCancelled() {
		return nil, errCancelled
	}
	e, err := s.o.Runtimes.Environment(key)
	if e == nil && err == nil {
		stderr, _ := s.o.Logs.Tail(r.environment(), tailLines)
		err = &failure{
			message:        training.EnvironmentFailure(exit, stderr, s.o.MemoryLimit),
			exit:           &exit,
			infrastructure: exit.Lost,
		}
	}
	return e, err
}

// awaitInstall waits for the installer, and ends it when the job is cancelled.
func (s *Scheduler) awaitInstall(ctx context.Context, r *run) (ml.Exit, error) {
	waiting, cancel := r.context(ctx)
	defer cancel()
	exit, err := s.o.Executor.Wait(waiting, r.environment())
	if err != nil && r.isCancelled() && ctx.Err() == nil {
		if err := s.end(ctx, []string{r.environment()}); err != nil {
			return exit, err
		}
		exit, err = s.o.Executor.Wait(ctx, r.environment())
	}
	if err != nil {
		return exit, fmt.Errorf("wait for the installer: %w", err)
	}
	return exit, nil
}

func (s *Scheduler) open(ctx context.Context, bucket, name string) (io.ReadCloser, error) {
	return s.o.Objects.Open(ctx, bucket, name)
}
