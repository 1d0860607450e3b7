package scheduler

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/storage/logs"
	"hearth/storage/metadata"
)

// stage is the loop with a real database, on a clock that only the test moves.
// Its jobs have no processes: a test says how each ends.
type stage struct {
	t       testing.TB
	dir     string
	now     time.Time
	options Options
	db      *metadata.DB
	*loop
}

// hardware is GPUs for tests: what is wrong with them, and who uses them.
type hardware struct {
	faults map[string]error
	pids   map[string][]int
}

func (h *hardware) Health(uuid string) error             { return h.faults[uuid] }
func (h *hardware) Processes(uuid string) ([]int, error) { return h.pids[uuid], nil }

const stageProject = "hearth"

// noProcesses is an executor that a stage never asks to run anything.
type noProcesses struct {
	Executor
	dir string
}

func (n noProcesses) Folder(id string) string { return filepath.Join(n.dir, "attempts", id) }

// newStage puts a database where syncs cost nothing, if there is such a place:
// nothing here is about power cuts.
func newStage(t testing.TB, o Options) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "stage-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &stage{t: t, dir: dir, options: o, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.options.Executor, s.options.Logs, s.options.Log = noProcesses{dir: dir}, logs.Open(filepath.Join(dir, "attempts")), zerolog.Nop()
	s.open()
	t.Cleanup(func() { s.db.Close() })
	return s
}

func (s *stage) open() {
	s.t.Helper()
	var err error
	if s.db, err = metadata.Open(filepath.Join(s.dir, "hearth.db")); err != nil {
		s.t.Fatal(err)
	}
	s.db.Now = func() time.Time { return s.now }
	s.options.DB = s.db
	s.loop = New(s.options).newLoop()
	s.driver = func(context.Context, *run) {}
	if err := s.recover(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	s.turn()
}

// restart is the end of the daemon and the start of another.
func (s *stage) restart() {
	s.t.Helper()
	if err := s.db.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.open()
}

// turn is one round of the loop.
func (s *stage) turn() {
	s.hear()
	s.step(context.Background(), s.now)
	s.publish()
}

// tick moves the clock, with a round of the loop at each time that it asked for.
func (s *stage) tick(d time.Duration) {
	for end := s.now.Add(d); ; {
		wake := s.step(context.Background(), s.now)
		if wake.IsZero() || wake.After(end) {
			s.now = end
			s.turn()
			return
		}
		s.now = wake
		s.turn()
	}
}

func (s *stage) submitJob(job *ml.Job) error {
	s.now = s.now.Add(time.Nanosecond) // no two at once
	stored, err := s.db.SubmitJob(stageProject, job)
	if err == nil {
		s.inbox.put(func(l *loop) { l.enqueue(stageProject, stored) })
		s.turn()
	}
	return err
}

func (s *stage) run(id string) *run { return s.runs[jobKey{stageProject, id}] }

// begin lets the program of a job run, as its driver would.
func (s *stage) begin(id string) error {
	r := s.run(id)
	if r == nil {
		return fmt.Errorf("%s holds no slots", id)
	}
	job, err := s.db.SetJobRunning(stageProject, id)
	if err == nil && job.State == ml.JobRunning {
		r.started = job.StartTime.Time
		s.turn()
	}
	return err
}

// end brings a job that holds slots to its end, as its driver would.
func (s *stage) end(id string, f metadata.Finish) error {
	r := s.run(id)
	if r == nil {
		return fmt.Errorf("%s does not run", id)
	}
	if f.State == ml.JobSucceeded {
		if err := s.begin(id); err != nil {
			return err
		}
	}
	s.finish(context.Background(), r, f)
	s.turn()
	// Nobody reads its log.
	return os.RemoveAll(filepath.Join(s.dir, "attempts", r.attempt.ID))
}

// check looks for what must always hold.
func (s *stage) check() error {
	var sum ml.Resources
	owners := map[string]jobKey{}
	for k, lease := range s.slots.leases {
		r := s.runs[k]
		if r == nil {
			return fmt.Errorf("a lease of %v has no attempt", k)
		}
		a, err := s.db.LatestAttempt(k.project, k.job)
		if err != nil || a.ID != r.attempt.ID || !a.Ended.IsZero() {
			return fmt.Errorf("the lease of %v has no live attempt: %+v, %v", k, a, err)
		}
		things := slices.Clone(lease.GPUs)
		for _, p := range lease.Ports {
			things = append(things, fmt.Sprint("port ", p))
		}
		if lease.User != 0 {
			things = append(things, fmt.Sprint("user ", lease.User))
		}
		for _, thing := range things {
			if other, taken := owners[thing]; taken {
				return fmt.Errorf("%s is held by %v and %v", thing, other, k)
			}
			owners[thing] = k
		}
		var parts []string
		for _, replica := range a.Replicas {
			parts = append(parts, replica.GPUs...)
		}
		if !slices.Equal(parts, lease.GPUs) {
			return fmt.Errorf("the replicas of %v have %v of %v", k, parts, lease.GPUs)
		}
		sum = sum.Plus(lease.Resources)
	}
	for version, uuids := range s.slots.tenants.held {
		for _, uuid := range uuids {
			if other, taken := owners[uuid]; taken {
				return fmt.Errorf("%s is held by %v and %s", uuid, other, version)
			}
			owners[uuid] = jobKey{job: version}
		}
	}
	if !sum.Fits(s.slots.total) {
		return fmt.Errorf("%s are leased of %s", sum, s.slots.total)
	}
	if len(s.runs) != len(s.slots.leases) {
		return fmt.Errorf("%d jobs run on %d leases", len(s.runs), len(s.slots.leases))
	}
	return s.checkQueue()
}

// checkQueue looks whether a job waits that could run.
func (s *stage) checkQueue() error {
	for i, w := range s.queue.list {
		if i > 0 && !s.queue.list[i-1].before(w) {
			return fmt.Errorf("%s stands before %s", s.queue.list[i-1].job, w.job)
		}
		if s.runs[w.jobKey] != nil {
			return fmt.Errorf("%s waits and runs", w.job)
		}
	}
	if len(s.queue.list) > 0 {
		if first := s.queue.list[0]; first.need.Fits(s.slots.free()) {
			if _, err := s.slots.freePorts(first.ports()); err == nil {
				return fmt.Errorf("%s, the first, waits for nothing: it needs %s of %s", first.job, first.need, s.slots.free())
			}
		}
	}
	return nil
}

// stageJob makes a job from words such as cpus=2, gpus=1, priority=5, wait=10s,
// limit=1h and replicas=master+2*worker+ps. Each replica asks for the same.
func stageJob(id string, words []string) (*ml.Job, error) {
	in := &ml.TrainingInput{ScaleTier: ml.TierCustom, MasterType: "n1-highcpu-1", PythonModule: "trainer.task", PackageURIs: []string{"gs://b/p.whl"}, Scheduling: &ml.Scheduling{}}
	cpus, gpus := 1, ml.Int64(0)
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch key {
		case "cpus":
			_, err = fmt.Sscan(value, &cpus)
		case "gpus":
			_, err = fmt.Sscan(value, &gpus)
		case "priority":
			_, err = fmt.Sscan(value, &in.Scheduling.Priority)
		case "module":
			in.PythonModule = value
		case "wait", "limit":
			var d time.Duration
			d, err = time.ParseDuration(value)
			if key == "wait" {
				in.Scheduling.MaxWaitTime = ml.Duration(d)
			} else {
				in.Scheduling.MaxRunningTime = ml.Duration(d)
			}
		case "replicas":
			err = stageReplicas(in, value)
		default:
			err = fmt.Errorf("what is %q?", word)
		}
		if err != nil {
			return nil, err
		}
	}
	machine := fmt.Sprintf("stage-%d", cpus)
	config := &ml.ReplicaConfig{AcceleratorConfig: &ml.AcceleratorConfig{Count: gpus}}
	in.MasterType, in.WorkerType, in.ParameterServerType, in.EvaluatorType = machine, machine, machine, machine
	in.MasterConfig, in.WorkerConfig, in.ParameterServerConfig, in.EvaluatorConfig = config, config, config, config
	return &ml.Job{JobID: id, TrainingInput: in}, nil
}

func stageReplicas(in *ml.TrainingInput, text string) error {
	counts := map[string]*ml.Int64{"master": new(ml.Int64), "worker": &in.WorkerCount, "ps": &in.ParameterServerCount, "evaluator": &in.EvaluatorCount}
	for part := range strings.SplitSeq(text, "+") {
		n, kind := ml.Int64(1), part
		if number, rest, ok := strings.Cut(part, "*"); ok {
			if _, err := fmt.Sscan(number, &n); err != nil {
				return err
			}
			kind = rest
		}
		if counts[kind] == nil {
			return fmt.Errorf("there is no kind of replica %q", kind)
		}
		*counts[kind] += n
	}
	return nil
}

// stageMachines are the types that stageJob names: 1 GiB for each processor.
func stageMachines() Machines {
	m := Machines{Small: ml.Resources{CPUs: 1, Memory: gib}, Types: map[string]ml.Resources{}}
	for n := 1; n <= 64; n++ {
		m.Types[fmt.Sprintf("stage-%d", n)] = ml.Resources{CPUs: n, Memory: int64(n) * gib}
	}
	return m
}
