package scheduler

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"hearth/ml"
	"hearth/scheduler/prediction"
	"hearth/scheduler/training"
	"hearth/storage/metadata"
)

// admitPrediction checks what a batch prediction needs of this installation.
func (s *Scheduler) admitPrediction(project string, job *ml.Job) error {
	in := job.PredictionInput
	m, err := s.o.Models.Find(project, in)
	if err != nil {
		return err
	}
	if _, err := s.o.Runtimes.Get(runtimeName(in, m)); err != nil {
		return ml.FieldErrorf("predictionInput.runtimeVersion", "%s", err)
	}
	return s.canFit(job)
}

// runtimeName is the runtime that a request asks for, else the model's own, else
// the default.
func runtimeName(in *ml.PredictionInput, m prediction.Model) string {
	if in.RuntimeVersion != "" {
		return in.RuntimeVersion
	}
	return m.Runtime
}

// runtimeOf names the runtime that an unfinished job needs, empty if that is open.
func (s *Scheduler) runtimeOf(rec metadata.JobRecord) string {
	in := rec.Job.PredictionInput
	if in == nil {
		return s.o.Runtimes.Resolve(rec.Job.TrainingInput.RuntimeVersion)
	}
	m, err := s.predictionFolder(jobKey{rec.Project, rec.Job.JobID}).Model()
	if err != nil {
		if m, err = s.o.Models.Find(rec.Project, in); err != nil {
			return ""
		}
	}
	return s.o.Runtimes.Resolve(runtimeName(in, m))
}

// defaultWorkers is how many workers a batch prediction may have that does not
// say it. A worker of the service is a processor here.
const defaultWorkers = 10

// predictionDemand gives what a batch prediction asks for: one process, with as
// many processors as the service would start workers.
func (m Machines) predictionDemand(in *ml.PredictionInput, host ml.Resources) demand {
	workers := defaultWorkers
	if in.MaxWorkerCount > 0 {
		workers = int(min(in.MaxWorkerCount, 1<<16))
	}
	need := ml.Resources{CPUs: workers, Memory: m.Small.Memory}
	if host.CPUs > 0 {
		need.CPUs, need.Memory = min(workers, host.CPUs), min(m.Small.Memory, host.Memory)
	}
	return demand{replicas: []replicaDemand{{ml.Replica{Kind: ml.ReplicaWorker}, need}}, need: need}
}

func (s *Scheduler) predictionFolder(k jobKey) prediction.Folder {
	return prediction.Folder(filepath.Join(s.o.BatchDir, k.project+"."+k.job))
}

// preparePrediction gets the model and the folders ready.
func (s *Scheduler) preparePrediction(ctx context.Context, r *run) (program, error) {
	in, folder := r.job.PredictionInput, s.predictionFolder(r.jobKey)
	fetching, cancel := r.context(ctx)
	defer cancel()
	model, err := folder.Prepare(fetching, s.o.Models, r.project, in)
	if err != nil {
		return nil, err
	}
	runtime, err := s.o.Runtimes.Get(runtimeName(in, model))
	if err != nil {
		return nil, err
	}
	attempt := training.Folder(s.o.Executor.Folder(r.attempt.ID))
	if err := attempt.Prepare(r.attempt.Replicas[0].Task()); err != nil {
		return nil, err
	}
	s.tellPlan(r, runtime)
	log := s.o.Logs.Service(r.attempt.ID)
	log.Info("Predicting with %s.", model.Name())
	if in.Region != "" {
		log.Warn("region has no effect here: the job runs on this machine.")
	}
	return prediction.Program{
		Project: r.project, Job: r.job, Folder: folder, Attempt: attempt, Runtime: runtime, Access: s.o.Access,
		Secret: training.Secret(s.o.SecretKey, r.project, r.jobKey.job), Cores: r.attempt.Lease.Resources.CPUs,
		MaxErrorRate: s.o.MaxErrorRate, ShardBytes: s.o.ShardBytes, Limits: s.limits(r), Rules: s.o.Rules, Grace: s.o.Grace,
	}, nil
}

// predictionFailure says why a batch prediction's worker failed: what it said
// itself, if it did. One that others have ended is no fault of the job's.
func (s *Scheduler) predictionFailure(r *run, exit ml.Exit, otherwise string) (message string, infrastructure bool) {
	if said := s.predictionFolder(r.jobKey).Failure(); said != "" && exit.Signal == "" && !exit.Lost && !exit.OutOfMemory && !exit.OutOfDisk {
		return said, false
	}
	killed := exit.Signal == "SIGKILL" && !exit.OutOfMemory && !exit.OutOfDisk
	return otherwise, exit.Lost || killed && !exit.Stopped
}

// predictAgain reports whether a batch prediction whose worker was lost is to go
// on, which costs it the shards that were under way.
func (s *Scheduler) predictAgain(r *run, f metadata.Finish) (why string, ok bool) {
	if f.State != ml.JobFailed || f.Cause != metadata.CauseInfrastructure || r.isCancelled() {
		return "", false
	}
	again, err := s.predictionFolder(r.jobKey).Lost()
	if err != nil {
		s.logger(r.jobKey).Error().Err(err).Msg("count the losses of a worker")
	}
	if err != nil || !again {
		return "", false
	}
	return fmt.Sprintf("%s It goes on with what is left (attempt %d).", f.ErrorMessage, r.attempt.Number+1), true
}

// predictionProgress shows how far a batch prediction is that runs.
func (s *Scheduler) predictionProgress(project string, job *ml.Job) {
	if in := job.PredictionInput; in != nil && !job.State.Final() {
		p := s.predictionFolder(jobKey{project, job.JobID}).Progress()
		job.PredictionOutput = outputOf(in, p, job.StartTime.Time)
	}
}

func outputOf(in *ml.PredictionInput, p ml.PredictionProgress, started time.Time) *ml.PredictionOutput {
	out := &ml.PredictionOutput{OutputPath: in.OutputPath, PredictionCount: ml.Int64(p.Predictions), ErrorCount: ml.Int64(p.Errors)}
	if !started.IsZero() {
		out.NodeHours = time.Since(started).Hours()
	}
	return out
}

// predictionOutput is what a batch prediction that ends has to tell, nil for
// other jobs.
func (s *Scheduler) predictionOutput(r *run) *ml.PredictionOutput {
	in := r.job.PredictionInput
	if in == nil {
		return nil
	}
	return outputOf(in, s.predictionFolder(r.jobKey).Progress(), r.attempt.Created.Time)
}

// clearPrediction takes away what a batch prediction kept for its next attempt,
// once there is none.
func (s *Scheduler) clearPrediction(r *run, job *ml.Job) {
	if job.PredictionInput == nil || !job.State.Final() {
		return
	}
	if err := s.predictionFolder(r.jobKey).Remove(); err != nil {
		s.logger(r.jobKey).Error().Err(err).Msg("remove a batch prediction's folder")
	}
}

// PredictionProgress tells how far a batch prediction is; nothing before it has
// begun, after its end and of other jobs. NOT_FOUND if there is no such job.
func (s *Scheduler) PredictionProgress(project, job string) (ml.PredictionProgress, error) {
	if _, err := s.o.DB.Job(project, job); err != nil {
		return ml.PredictionProgress{}, err
	}
	return s.predictionFolder(jobKey{project, job}).Progress(), nil
}

// Prediction is how far a batch prediction is, for the metrics.
type Prediction struct {
	Project, Job string
	ml.PredictionProgress
}

// Predictions tells how far the batch predictions are that run.
func (s *Scheduler) Predictions() []Prediction {
	var all []Prediction
	for _, r := range s.Snapshot().Running {
		if r.prediction {
			all = append(all, Prediction{r.Project, r.Job, s.predictionFolder(jobKey{r.Project, r.Job}).Progress()})
		}
	}
	return all
}
