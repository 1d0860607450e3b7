package scheduler_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/scheduler"
	"hearth/scheduler/process"
	"hearth/scheduler/runtimes"
	"hearth/scheduler/runtimes/wheeltest"
	"hearth/scheduler/training"
	"hearth/storage/logs"
	"hearth/storage/metadata"
	"hearth/storage/object"
)

const (
	project = "hearth"
	bucket  = "data"
)

// task is what the trainer of all tests does: it says that it ran, and then
// what its first argument says.
const task = `
import json, os, signal, sys, time, traceback
mode, path = sys.argv[1:3]
with open(path, "a") as f:
    f.write(mode + "\n")
if mode.startswith("gang"):
    # All but the master wait for ever once they listen, as parameter servers do.
    import socket
    config = json.loads(os.environ["TF_CONFIG"])
    me, members = config["task"], config["cluster"]
    if me["type"] != "evaluator":
        host, port = members[me["type"]][me["index"]].split(":")
        own = socket.create_server((host, int(port)))
    with open("%s.%s-%d" % (path, me["type"], me["index"]), "w") as f:
        f.write(json.dumps({"pid": os.getpid(), "cwd": os.getcwd(), "cluster": members}))
    if mode == "gang-worker-fails" and me == {"type": "worker", "index": 1}:
        sys.exit("the worker had enough")
    if me["type"] != "chief":
        signal.pause()
    for address in sum((members[k] for k in members if k != "chief"), []):
        while True:
            try:
                socket.create_connection(address.split(":")).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
    if mode in ("gang-gate", "gang-worker-fails"):
        open(path + ".up", "w").close()
        open(path + ".gate").read()
if mode == "describe":
    with open(path + ".json", "w") as f:
        json.dump({"argv": sys.argv, "env": dict(os.environ), "cwd": os.getcwd(), "prefix": sys.prefix}, f)
if mode == "fail":
    try:
        raise ValueError("no such column: age")
    except ValueError:
        traceback.print_exc()
        sys.exit(3)
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mode == "eat":
    held = []
    while True:
        held.append(b"x" * (16 << 20))
if mode in ("gate", "stubborn"):
    open(path + ".up", "w").close()
    open(path + ".gate").read()
print("done", mode)
`

// The hidden commands of the program are this test binary's too.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case "task":
			os.Exit(process.ShimMain(os.Args[2]))
		case "build-environment":
			os.Exit(runtimes.BuildMain(context.Background(), os.Args[2]))
		case "crash-daemon":
			os.Exit(crashDaemon(os.Args[2]))
		}
	}
	code := m.Run()
	os.RemoveAll(shared.dir)
	os.Exit(code)
}

// shared is the runtime of all tests.
var shared struct {
	once sync.Once
	dir  string
	err  error
}

func sharedRuntimes() (string, error) {
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "scheduler"); shared.err != nil {
			return
		}
		if _, shared.err = wheeltest.TensorFlow("2.21.0").Write(shared.dir); shared.err != nil {
			return
		}
		var store *runtimes.Store
		if store, shared.err = openRuntimes(shared.dir); shared.err == nil {
			_, shared.err = store.Install(context.Background(), "2.21", runtimes.InstallOptions{Wheelhouse: shared.dir}, func(runtimes.Progress) {})
		}
	})
	return shared.dir, shared.err
}

func openRuntimes(dir string) (*runtimes.Store, error) {
	return runtimes.Open(runtimes.Options{
		Dir: filepath.Join(dir, "runtimes"), Environments: filepath.Join(dir, "environments"), Default: "2.21",
		// Nothing is fetched in a test.
		Index: "file:///nonexistent",
	})
}

// daemon is what of a daemon the scheduler needs, on a folder.
type daemon struct {
	dir     string
	db      *metadata.DB
	objects *object.Local
	logs    *logs.Store
	options scheduler.Options
	*scheduler.Scheduler
}

func openDaemon(dir, runtimesDir string, change func(*scheduler.Options)) (*daemon, error) {
	d := &daemon{dir: dir, logs: logs.Open(filepath.Join(dir, "attempts"))}
	var err error
	if d.db, err = metadata.Open(filepath.Join(dir, "hearth.db")); err != nil {
		return nil, err
	}
	if d.objects, err = object.OpenLocal(filepath.Join(dir, "objects"), object.LocalOptions{}); err != nil {
		return nil, err
	}
	executor, err := process.Open(process.Options{Dir: filepath.Join(dir, "attempts")})
	if err != nil {
		return nil, err
	}
	store, err := openRuntimes(runtimesDir)
	if err != nil {
		return nil, err
	}
	d.options = scheduler.Options{
		DB: d.db, Executor: executor, Logs: d.logs, Objects: d.objects, Runtimes: store,
		Access:    training.Access{Address: "127.0.0.1:1", CABundle: "/ca.pem"},
		SecretKey: []byte("key"),
		CPUs:      2, Memory: 8 << 30, MemoryLimit: 2 << 30, Rules: training.Rules{Off: true}, Ports: [2]int{20000, 20999},
		Machines: scheduler.Machines{
			Small: ml.Resources{CPUs: 1, Memory: 1 << 30},
			Tiers: map[string]scheduler.Tier{ml.TierStandard1: {Workers: 2, ParameterServers: 1}},
		},
		Grace: 10 * time.Second,
		Log:   zerolog.Nop(),
	}
	if change != nil {
		change(&d.options)
	}
	d.Scheduler = scheduler.New(d.options)
	return d, nil
}

func (d *daemon) put(name string, body []byte) error {
	_, _ = d.objects.CreateBucket(context.Background(), object.Bucket{Name: bucket})
	_, err := d.objects.Put(context.Background(), object.PutRequest{Bucket: bucket, Name: name}, bytes.NewReader(body))
	return err
}

func (d *daemon) close() {
	d.objects.Close()
	d.db.Close()
}

// rig is a scheduler at work in a test.
type rig struct {
	*testing.T
	*daemon
	change func(*scheduler.Options)
	stop   func()
}

func newRig(t *testing.T, change func(*scheduler.Options)) *rig {
	t.Helper()
	r := &rig{T: t, change: change, stop: func() {}}
	r.daemon = &daemon{dir: t.TempDir()}
	r.open()
	t.Cleanup(func() {
		r.stop()
		r.db.Close()
		r.objects.Close()
	})
	trainer := wheeltest.Trainer(task)
	if err := r.put(trainer.File(), trainer.Bytes()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) open() {
	r.Helper()
	runtimesDir, err := sharedRuntimes()
	if err != nil {
		r.Fatal(err)
	}
	if r.daemon, err = openDaemon(r.dir, runtimesDir, r.change); err != nil {
		r.Fatal(err)
	}
}

// run starts the scheduler's loop; stop ends it as the end of a daemon does.
func (r *rig) run() {
	r.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Scheduler.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.Error(err)
		}
	})
	select {
	case <-r.Ready():
	case err := <-done:
		done <- nil
		r.Fatal(err)
	}
}

// restart ends the daemon and starts another on its folder.
func (r *rig) restart() {
	r.Helper()
	r.stop()
	r.close()
	r.open()
	r.run()
}

// job is a job whose trainer does what mode says, with files that begin with
// the path returned.
func (r *rig) job(id, mode string) (*ml.Job, string) {
	r.Helper()
	path := filepath.Join(r.dir, id)
	for _, suffix := range []string{".up", ".gate"} {
		if err := syscall.Mkfifo(path+suffix, 0o600); err != nil {
			r.Fatal(err)
		}
	}
	return &ml.Job{JobID: id, TrainingInput: &ml.TrainingInput{
		PackageURIs:  []string{"gs://" + bucket + "/" + wheeltest.Trainer("").File()},
		PythonModule: "trainer.task",
		Args:         []string{mode, path},
	}}, path
}

func (r *rig) submit(job *ml.Job) {
	r.Helper()
	if _, err := r.Submit(r.Context(), project, job); err != nil {
		r.Fatal(err)
	}
}

// up returns when the trainer stands at its gate, let lets it pass.
func (r *rig) up(path string) {
	r.Helper()
	if _, err := os.ReadFile(path + ".up"); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) let(path string) {
	r.Helper()
	if err := os.WriteFile(path+".gate", nil, 0); err != nil {
		r.Fatal(err)
	}
}

// until returns the job once it is in a state.
func (r *rig) until(id string, state ml.JobState) *ml.Job {
	r.Helper()
	job, err := untilState(r.db, id, state)
	if err != nil {
		r.Fatal(err)
	}
	return job
}

func untilState(db *metadata.DB, id string, state ml.JobState) (*ml.Job, error) {
	deadline := time.After(30 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		job, err := db.Job(project, id)
		if err != nil || job.State == state {
			tick.Stop()
			return job, err
		}
		if job.State.Final() {
			return nil, fmt.Errorf("job %s is %s: %s", id, job.State, job.ErrorMessage)
		}
		select {
		case <-tick.C:
		case <-deadline:
			return nil, fmt.Errorf("job %s is still %s, want %s", id, job.State, state)
		}
	}
}

// runs says how often the trainer ran.
func runs(path string) int {
	b, _ := os.ReadFile(path)
	return strings.Count(string(b), "\n")
}

// service gives what Hearth has said in the job's log.
func (r *rig) service(attempt string) string {
	r.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, "attempts", attempt, "service.jsonl"))
	if err != nil {
		r.Fatal(err)
	}
	return string(b)
}
