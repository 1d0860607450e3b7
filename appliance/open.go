package appliance

import (
	"context"
	"net/http"
	"os"
	"time"

	"hearth/appliance/api"
	"hearth/appliance/api/gcsv1"
	"hearth/appliance/api/hearthv1"
	"hearth/appliance/api/loggingv2"
	"hearth/appliance/api/mlv1"
	"hearth/appliance/api/tfserving"
	"hearth/ml"
	"hearth/scheduler"
	"hearth/scheduler/process"
	"hearth/scheduler/runtimes"
	"hearth/scheduler/training"
	"hearth/serving"
)

// openProcesses makes the supervisor of processes and the runtimes that they
// use.
func (a *Appliance) openProcesses(context.Context) error {
	var err error
	a.runtimes, err = runtimes.Open(runtimes.Options{
		Dir: a.path("runtimes"), Environments: a.path("environments"),
		Default: a.config.Runtimes.Default, Aliases: a.config.Runtimes.Aliases,
		Python: a.config.Runtimes.Python, Index: a.config.Runtimes.Index, Wheelhouse: a.config.Runtimes.Wheelhouse,
		CUDA: len(a.devices()) > 0, Log: a.component("runtimes"),
	})
	if err != nil {
		return err
	}
	a.supervisor, err = process.Open(process.Options{Dir: a.path("attempts"), NoCgroups: !a.config.Sandbox.Cgroups, Log: a.log})
	return err
}

func (a *Appliance) openServing(context.Context) error {
	a.serving = serving.New(serving.Options{
		DB: a.db, Objects: a.objects, Executor: a.supervisor, Runtimes: servingRuntimes{a.runtimes},
		Devices: a.scheduler, GPUs: len(a.devices()),
		Dir: a.path("models"), Executable: "/proc/self/exe", Tail: a.logs.Tail,
		MaxInFlight: a.config.Predict.MaxInFlight, MaxBody: int64(a.config.Predict.MaxBody), Returned: a.returned(),
		Timeout: time.Duration(a.config.Predict.Timeout), Idle: time.Duration(a.config.Predict.Idle), FreeMemory: freeMemory, Sandbox: a.config.Sandbox.Enabled,
		Log: a.component("serving"),
	})
	return nil
}

func (a *Appliance) devices() []string {
	var uuids []string
	if a.gpus != nil {
		for _, d := range a.gpus.Devices() {
			uuids = append(uuids, d.UUID)
		}
	}
	return uuids
}

// openDoor listens, so that jobs can be told where.
func (a *Appliance) openDoor(context.Context) error {
	token, err := secret(a.config.Data, tokenFile)
	if err != nil {
		return err
	}
	a.door, err = api.Listen(api.Options{
		Address: a.config.Listen.Address, Names: a.config.Listen.Names, TLSDir: a.path("tls"), Project: Project,
		Auth: &authenticator{
			owner: api.HashSecret(token),
			// The scheduler is made after the door, whose address it tells the jobs;
			// nobody asks before both run.
			job: func(project, job, password string) error { return a.scheduler.Authenticate(project, job, password) },
		},
		JobHosts: a.config.Network.Allow, Refused: a.tellRefused,
		Log: a.component("api"),
	})
	if err != nil {
		return err
	}
	a.closeLater(a.door)
	if err := announce(a.door.Addr().String(), a.config.Data); err != nil {
		a.log.Warn().Err(err).Msg("the command line will need --token-file: the daemon could not announce itself")
	}
	return nil
}

func (a *Appliance) openScheduler(context.Context) error {
	key, err := secret(a.config.Data, keyFile)
	if err != nil {
		return err
	}
	memory, err := hostMemory()
	if err != nil {
		return err
	}
	disk, _, err := diskSpace(a.config.Data)
	if err != nil {
		return err
	}
	rules, err := a.rules()
	if err != nil {
		return err
	}
	var devices scheduler.Devices
	if a.gpus != nil {
		devices = a.gpus
	}
	a.scheduler = scheduler.New(scheduler.Options{
		Devices: devices,
		DB:      a.db, Executor: a.supervisor, Logs: a.logs, Objects: a.objects, Runtimes: a.runtimes,
		Access:    training.Access{Address: a.door.Addr().String(), CABundle: a.door.CABundle()},
		SecretKey: []byte(key),
		CPUs:      a.config.Scheduler.CPUs, Memory: memory, GPUs: a.devices(), GPUError: a.gpuError,
		Ports: a.config.Scheduler.Ports, Machines: a.config.machines(), MemoryLimit: a.config.Scheduler.MemoryLimit.Of(memory),
		PidsLimit: a.config.Scheduler.PidsLimit, LogLimit: int64(a.config.Scheduler.LogLimit), DiskLimit: a.config.Scheduler.DiskLimit.Of(disk), Rules: rules,
		Models: batchModels{a}, BatchDir: a.path("batch"), MaxErrorRate: a.config.Batch.MaxErrorRate, ShardBytes: int64(a.config.Batch.ShardSize),
		Requeue: a.config.Scheduler.OnHostFailure == hostFailureRequeue,
		Grace:   time.Duration(a.config.Scheduler.Grace), Log: a.component("scheduler"),
	})
	return nil
}

// mount puts the APIs behind the door.
func (a *Appliance) mount(context.Context) error {
	a.door.Mount(api.Handlers{
		ML: mlv1.New(mlv1.Options{
			HasProject: hasProject, Jobs: a.scheduler, JobReader: a.scheduler, Catalogue: a.serving, CatalogueReader: a.db,
			Operations: a.db, Predictor: a.serving, MaxPredictBody: int64(a.config.Predict.MaxBody),
		}),
		TFServing: tfserving.New(tfserving.Options{
			Project: Project, Reader: a.db, Predictor: a.serving, MaxBody: int64(a.config.Predict.MaxBody),
		}),
		GRPC: api.GRPC{
			Register:    tfserving.NewGRPC(tfserving.Options{Project: Project, Reader: a.db, Predictor: a.serving, Authorize: a.authorizeModel}),
			Guests:      tfserving.Guests,
			Descriptors: tfserving.Descriptors(), MaxMessage: int(a.config.Predict.MaxBody),
		},
		Logging: loggingv2.New(loggingv2.Options{HasProject: hasProject, Entries: a.logs}),
		Storage: gcsv1.New(gcsv1.Options{
			Store: a.objects, PlainBase: "http://" + a.door.Addr().String(), Log: a.component("storage"),
			Authorize: func(r *http.Request, _ string, _ bool) error { return authorizeBucket(api.PrincipalFrom(r.Context())) },
			Who:       func(r *http.Request) string { return nameOf(api.PrincipalFrom(r.Context())) },
			Observe:   func(_ *http.Request, by string, use gcsv1.Access) { a.observe(by, use) },
		}),
		Hearth: hearthv1.New(hearthv1.Options{
			Status: a.status, ClearGPU: a.clearGPU, Queue: func() ml.Queue { return a.scheduler.Queue(maxShown, time.Now()) }, Runtimes: runtimesAPI{a.runtimes, a.db, a.scheduler},
			CA:      func() ([]byte, error) { return os.ReadFile(a.door.CABundle()) },
			Lineage: a.jobLineage, Usage: a.jobUsage, Progress: a.scheduler.PredictionProgress, Reindex: a.objects.Reindex,
		}),
		Metrics:      a.metrics(),
		Lend:         a.lend,
		Allows:       a.allows,
		BucketExists: a.bucketExists,
		Ready:        a.checkReady,
	})
	return nil
}

func hasProject(project string) bool { return project == Project }

func (a *Appliance) checkReady() error {
	if a.ready.Load() {
		return nil
	}
	return ml.Errorf(ml.Unavailable, "The daemon has just started: jobs are being re-attached and versions loaded.")
}

// tellRefused lets a job's own log say what the proxy refused it.
func (a *Appliance) tellRefused(p ml.Principal, host string) {
	attempt, err := a.db.LatestAttempt(p.Project, p.Job)
	if err == nil {
		err = a.logs.Service(attempt.ID).Warn("the job asked for %s, which it may not reach: [network] allow in the configuration opens hosts to jobs", host)
	}
	if err != nil {
		a.log.Warn().Err(err).Str("job", p.Job).Str("host", host).Msg("refused a host to a job")
	}
}
