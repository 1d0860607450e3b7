package scheduler

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/scheduler/prediction"
	"hearth/scheduler/runtimes"
	"hearth/scheduler/training"
	"hearth/storage/logs"
	"hearth/storage/metadata"
	"hearth/storage/object"
)

// Executor runs processes that outlive this one. A process is named by its
// attempt and task, as in "hearth.digits_1.1/master-replica-0".
type Executor interface {
	// Start starts a process. It may be repeated: the process runs once, as the
	// first call described it.
	Start(ctx context.Context, id string, p ml.Process) error
	// Wait blocks until a process has ended. A start that a crash interrupted
	// is finished first.
	Wait(ctx context.Context, id string) (ml.Exit, error)
	// Stop asks a process to end, and sees to it that it does. One that has
	// ended is left alone.
	Stop(ctx context.Context, id string) error
	// Started reports whether Start has been called, also by a daemon before.
	Started(id string) bool
	// Folder is the folder of a process, or of an attempt.
	Folder(id string) string
}

// Objects is what the scheduler needs of the bucket.
type Objects interface {
	Open(ctx context.Context, bucket, name string) (object.Reader, error)
	Stat(ctx context.Context, bucket, name string) (*object.Object, error)
}

// Options are what a Scheduler works with.
type Options struct {
	DB       *metadata.DB
	Executor Executor
	Logs     *logs.Store
	Objects  Objects
	Runtimes *runtimes.Store
	// Access says how jobs reach the daemon, SecretKey is what their passwords
	// are made from.
	Access    training.Access
	SecretKey []byte
	// CPUs and Memory (bytes) are what jobs may lease in all, GPUs the UUIDs of
	// the devices. GPUError says why there are none although there is a driver.
	CPUs     int
	Memory   int64
	GPUs     []string
	GPUError error
	// Devices tells of the GPUs, nil where there are none.
	Devices Devices
	// Ports are the first and the last port of the loopback address that the
	// replicas of distributed jobs may listen on.
	Ports [2]int
	// Machines says what replicas lease, MemoryLimit (bytes) the most memory
	// that a job may use.
	Machines    Machines
	MemoryLimit int64
	// PidsLimit and DiskLimit (bytes) are what each replica may have of
	// processes and threads, and of files of its own; Rules say what of the
	// machine jobs may touch.
	PidsLimit, DiskLimit int64
	// Models finds what batch predictions load, BatchDir is where these keep how
	// far they are, MaxErrorRate the part of their records that may be bad, and
	// ShardBytes what of a large file becomes one result.
	Models       prediction.Models
	BatchDir     string
	MaxErrorRate float64
	ShardBytes   int64
	// LogLimit is how much of a replica's log is kept, in bytes.
	LogLimit int64
	Rules    training.Rules
	// Requeue lets a job wait for its turn again that the host has failed, as by
	// a restart; otherwise it ends as FAILED.
	Requeue bool
	// Grace is how long a job may live on after it was asked to end.
	Grace time.Duration
	Log   zerolog.Logger
}

// Scheduler runs jobs. Its methods may be called from several goroutines.
type Scheduler struct {
	o        Options
	inbox    inbox
	ready    chan struct{}
	snapshot atomic.Pointer[Snapshot]
}

// New makes a Scheduler. Nothing happens before Run.
func New(o Options) *Scheduler {
	s := &Scheduler{o: o, inbox: inbox{wake: make(chan struct{}, 1)}, ready: make(chan struct{})}
	s.snapshot.Store(&Snapshot{Total: newSlots(o).total})
	return s
}

// Ready is closed when the jobs of the last daemon are in hand again.
func (s *Scheduler) Ready() <-chan struct{} { return s.ready }

// jobKey names a job.
type jobKey struct{ project, job string }

// run is a job that holds slots.
type run struct {
	jobKey
	job     *ml.Job
	attempt *metadata.Attempt
	// cancelled is closed by the loop once CANCELLING is in the database.
	cancelled chan struct{}
	// started is when the job came to be RUNNING, zero before. It is the
	// loop's.
	started time.Time
}

func newRun(project string, job *ml.Job, a *metadata.Attempt) *run {
	return &run{jobKey: jobKey{project, job.JobID}, job: job, attempt: a, cancelled: make(chan struct{})}
}

func (r *run) isCancelled() bool {
	select {
	case <-r.cancelled:
		return true
	default:
		return false
	}
}

// context gives one that also ends when the job is cancelled.
func (r *run) context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-r.cancelled:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (s *Scheduler) logger(k jobKey) *zerolog.Logger {
	l := s.o.Log.With().Str("project", k.project).Str("job", k.job).Logger()
	return &l
}
