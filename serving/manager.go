package serving

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/serving/handover"
	"hearth/storage/metadata"
	"hearth/storage/object"
)

// Executor runs supervised processes, which outlive the daemon.
type Executor interface {
	Processes
	// Remove deletes the folder of an attempt whose processes have ended.
	Remove(attempt string) error
}

// Processes starts, watches and ends supervised processes. A process runs at
// most once: Start on one that was started before, by an earlier daemon too,
// finds it again.
type Processes interface {
	Start(ctx context.Context, id string, p ml.Process) error
	Wait(ctx context.Context, id string) (ml.Exit, error)
	Stop(ctx context.Context, id string) error
	// SetWeight changes a running process's claim on the processor.
	SetWeight(id string, w ml.Weight) error
	// Started says whether Start was ever called.
	Started(id string) bool
	Folder(id string) string
}

// Runtime is an installed TensorFlow.
type Runtime struct {
	// Name is the exact one, never an alias.
	Name string
	// Python is its version, such as "3.11" or "3.11.2".
	Python string
	// TensorFlow is the folder of the tensorflow package.
	TensorFlow string
	// Folders are what a process that uses it reads.
	Folders []string
	// CheckCUDA says what to do if it does not find the libraries that GPUs need.
	CheckCUDA func() error
}

// Runtimes finds a runtime by name or alias; an empty name means the default.
// A missing one is INVALID_ARGUMENT that lists those installed.
type Runtimes interface {
	Lookup(name string) (Runtime, error)
}

// Options is what a Manager works with. Zero times and counts mean defaults.
type Options struct {
	DB       *metadata.DB
	Objects  object.ObjectReader
	Executor Executor
	Runtimes Runtimes
	// Devices leases the machine's GPUs, of which there are so many.
	Devices Devices
	GPUs    int
	// Dir holds the copied SavedModels as PROJECT/MODEL/VERSION.
	Dir string
	// Executable is the program whose hidden command is the worker.
	Executable string
	// Sandbox keeps workers to the files of their model and runtime, and off the
	// network, as far as the host allows.
	Sandbox bool
	// Env is added to the environment of workers.
	Env []string
	// Tail gives the last lines that a process wrote to stderr. It may be nil.
	Tail func(process string, lines int) (string, error)
	// MaxInFlight is how many requests one version may have under way or
	// waiting; default 256.
	MaxInFlight int
	// MaxBody is the most bytes of a request to a worker that answers it by itself;
	// default 64 MiB.
	MaxBody int64
	// Returned takes a connection that was lent to a worker, as in
	// [handover.Options]. Without it none are.
	Returned func(c *net.TCPConn, read []byte, why handover.Reason)
	// Idle is how long nobody has asked for a version on demand when it is unloaded;
	// default 10 minutes.
	Idle time.Duration
	// FreeMemory gives how many bytes of memory new workers may take. Without it there
	// is always enough.
	FreeMemory func() (int64, error)
	// Timeout is how long a prediction may take; default one minute.
	Timeout time.Duration
	// LoadTimeout is how long loading may take; default 15 minutes.
	LoadTimeout time.Duration
	// Grace is how long the requests of a version that is deleted may go on;
	// default 30 s.
	Grace time.Duration
	Log   zerolog.Logger
}

func (o *Options) setDefaults() {
	if o.MaxInFlight == 0 {
		o.MaxInFlight = 256
	}
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 20
	}
	if o.Idle == 0 {
		o.Idle = 10 * time.Minute
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.LoadTimeout == 0 {
		o.LoadTimeout = 15 * time.Minute
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
}

// Manager serves the versions that the metadata wants.
type Manager struct {
	o      Options
	routes atomic.Pointer[routes]
	// wake makes Run plan again; one token is enough.
	wake  chan struct{}
	ready chan struct{}

	mu    sync.Mutex // over reading the metadata and publishing routes
	pools map[key]*pool

	room     sync.Mutex // over promises of memory
	promised int64      // to workers that load, in bytes
}

// key names a version.
type key struct{ project, model, version string }

func (k key) String() string { return ml.VersionName(k.project, k.model, k.version) }

func keyOf(r metadata.VersionRecord) key {
	return key{r.Project, r.Model, ml.LastSegment(r.Version.Name)}
}

// New makes a Manager. It serves nothing before Run.
func New(o Options) *Manager {
	o.setDefaults()
	m := &Manager{o: o, wake: make(chan struct{}, 1), ready: make(chan struct{}), pools: map[key]*pool{}}
	m.routes.Store(&routes{})
	return m
}

// Ready is closed once every version that was READY when Run began answers,
// or has failed to come up once and is tried again.
func (m *Manager) Ready() <-chan struct{} { return m.ready }

// Run does what is to be done about the versions until ctx ends. Workers go on.
func (m *Manager) Run(ctx context.Context) error {
	defer m.detach()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	uses := time.NewTicker(usesInterval)
	defer uses.Stop()
	running := map[key]*task{}
	ended := make(chan *task)
	var first sync.WaitGroup
	for begun := false; ; begun = true {
		records, err := m.refresh()
		if err != nil {
			return fmt.Errorf("serve models: %w", err)
		}
		for _, a := range plan(records, running) {
			if a.begin == nothing {
				running[a.key].cancel()
				continue
			}
			t := m.newTask(ctx, a, records)
			running[a.key] = t
			if !begun {
				first.Add(1)
				t.settled = sync.OnceFunc(first.Done)
			}
			tasks.Go(func() {
				defer t.settled()
				t.run()
				select {
				case ended <- t:
				case <-ctx.Done():
				}
			})
		}
		if !begun {
			tasks.Go(func() {
				if first.Wait(); ctx.Err() == nil {
					close(m.ready)
				}
			})
		}
		select {
		case <-m.wake:
		case <-uses.C:
			m.noteUses()
		case t := <-ended:
			t.ended = true
			if t.goal != clean {
				delete(running, t.key)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// usesInterval is how often it is noted when versions were last used.
const usesInterval = time.Minute

// noteUses records when versions were last used, those that were since it was
// done last.
func (m *Manager) noteUses() {
	used := map[key]time.Time{}
	m.mu.Lock()
	for k, p := range m.pools {
		if at, ok := p.takeUsed(); ok {
			used[k] = at
		}
	}
	m.mu.Unlock()
	for k, at := range used {
		if err := m.o.DB.TouchVersion(k.project, k.model, k.version, at); err != nil && ml.KindOf(err) != ml.NotFound {
			m.o.Log.Warn().Err(err).Str("version", k.String()).Msg("last use not noted")
		}
	}
}

// replan makes Run look at the metadata again.
func (m *Manager) replan() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// detach closes the connections to the workers.
func (m *Manager) detach() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pools {
		p.hangUp()
		p.close("The service is shutting down.")
	}
}
