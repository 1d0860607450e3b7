package scheduler

import (
	"context"
	"fmt"

	"hearth/ml"
	"hearth/ml/crash"
)

// Submit takes a job into the queue and returns it as stored. The queue is
// durable: what Submit has returned will run. Errors are INVALID_ARGUMENT or
// UNIMPLEMENTED, with the field at fault, and ALREADY_EXISTS; all of them have
// changed nothing.
func (s *Scheduler) Submit(ctx context.Context, project string, job *ml.Job) (*ml.Job, error) {
	if err := job.ValidateNew(); err != nil {
		return nil, err
	}
	if err := s.admit(ctx, project, job); err != nil {
		return nil, err
	}
	stored, err := s.o.DB.SubmitJob(project, job)
	if err != nil {
		return nil, err
	}
	crash.Point("job submitted")
	s.inbox.put(func(l *loop) { l.enqueue(project, stored) })
	s.logger(jobKey{project, stored.JobID}).Info().Msg("job submitted")
	return stored, nil
}

// admit checks what a job needs of this installation.
func (s *Scheduler) admit(ctx context.Context, project string, job *ml.Job) error {
	if job.PredictionInput != nil {
		return s.admitPrediction(project, job)
	}
	in := job.TrainingInput
	runtime, err := s.o.Runtimes.Get(in.RuntimeVersion)
	if err != nil {
		return ml.FieldErrorf("trainingInput.runtimeVersion", "%s", err)
	}
	if err := runtime.CheckPython("trainingInput.pythonVersion", in.PythonVersion); err != nil {
		return err
	}
	for i, uri := range in.PackageURIs {
		bucket, name, _ := ml.ObjectURI(uri)
		_, err := s.o.Objects.Stat(ctx, bucket, name)
		switch ml.KindOf(err) {
		case ml.OK:
		case ml.NotFound, ml.InvalidArgument:
			return ml.FieldErrorf(fmt.Sprintf("trainingInput.packageUris[%d]", i), "There is no object %s.", uri)
		default:
			return fmt.Errorf("look for package %s: %w", uri, err)
		}
	}
	return s.canFit(job)
}

// canFit refuses a job that would wait for ever.
func (s *Scheduler) canFit(job *ml.Job) error {
	total := newSlots(s.o).total
	d := s.o.Machines.demand(job, total)
	if n := d.ports(); n > s.o.portCount() {
		return ml.FieldErrorf("trainingInput.workerCount", "The job's replicas need %d ports; [scheduler] ports in the configuration has %d.", n, s.o.portCount())
	}
	if d.need.Fits(total) {
		return nil
	}
	why := ""
	if d.need.GPUs > total.GPUs && s.o.GPUError != nil {
		why = fmt.Sprintf(" The NVIDIA driver is installed but does not work: %s.", s.o.GPUError)
	}
	return ml.FieldErrorf("trainingInput.scaleTier", "The job asks for %s; this machine has %s.%s", d.need, total, why)
}
