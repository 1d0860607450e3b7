package scheduler_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/ml"
	"hearth/scheduler"
	"hearth/storage/metadata"
)

// gang is a job of a master, two workers and a parameter server.
func (r *rig) gang(id, mode string) (*ml.Job, string) {
	r.Helper()
	job, path := r.job(id, mode)
	job.TrainingInput.ScaleTier = ml.TierStandard1
	return job, path
}

func bigHost(o *scheduler.Options) { o.CPUs, o.Grace = 8, time.Second }

var gangTasks = []string{"master-replica-0", "worker-replica-0", "worker-replica-1", "ps-replica-0"}

// member is what a replica has written of itself.
type member struct {
	PID     int
	Cwd     string
	Cluster map[string][]string
}

func (r *rig) member(path, name string) member {
	r.Helper()
	b, err := os.ReadFile(path + "." + name)
	if err != nil {
		r.Fatal(err)
	}
	var m member
	if err := json.Unmarshal(b, &m); err != nil {
		r.Fatal(err)
	}
	return m
}

// gone fails the test if a process of the job is left.
func (r *rig) gone(attempt, path string) {
	r.Helper()
	for _, task := range gangTasks {
		if _, err := r.options.Executor.Wait(r.Context(), attempt+"/"+task); err != nil {
			r.Errorf("%s: %v", task, err)
		}
	}
	for _, name := range []string{"chief-0", "worker-0", "worker-1", "ps-0"} {
		if err := syscall.Kill(r.member(path, name).PID, 0); err != syscall.ESRCH {
			r.Errorf("%s is left: %v", name, err)
		}
	}
}

func TestScheduler_Gang(t *testing.T) {
	r := newRig(t, bigHost)
	r.run()
	job, path := r.gang("four", "gang-gate")
	r.submit(job)
	r.up(path)
	a, err := r.db.LatestAttempt(project, "four")
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Replicas) != 4 || len(a.Lease.Ports) != 4 || a.Lease.Resources.CPUs != 4 {
		t.Errorf("the attempt is %+v", a)
	}
	chief, worker := r.member(path, "chief-0"), r.member(path, "worker-1")
	if len(chief.Cluster["chief"]) != 1 || len(chief.Cluster["worker"]) != 2 || len(chief.Cluster["ps"]) != 1 {
		t.Errorf("the cluster is %v", chief.Cluster)
	}
	if chief.Cwd == worker.Cwd {
		t.Errorf("two replicas work in %s", chief.Cwd)
	}
	r.let(path)
	r.until("four", ml.JobSucceeded)
	r.gone(a.ID, path)
	if n := runs(path); n != 4 {
		t.Errorf("%d replicas ran", n)
	}
	if log := r.service(a.ID); !strings.Contains(log, "Running 4 replicas") {
		t.Errorf("the log is %s", log)
	}
}

func TestScheduler_GangFails(t *testing.T) {
	r := newRig(t, bigHost)
	r.run()
	job, path := r.gang("worker", "gang-worker-fails")
	r.submit(job)
	failed := r.until("worker", ml.JobFailed)
	if want := "The replica worker 1 exited with a non-zero status of 1. the worker had enough"; failed.ErrorMessage != want {
		t.Errorf("message %q, want %q", failed.ErrorMessage, want)
	}
	a, err := r.db.LatestAttempt(project, "worker")
	if err != nil || a.Cause != metadata.CauseProgram {
		t.Errorf("attempt %+v, %v", a, err)
	}
	for _, task := range gangTasks {
		if _, err := r.options.Executor.Wait(t.Context(), a.ID+"/"+task); err != nil {
			t.Error(err)
		}
	}
	if runs(path) == 0 {
		t.Error("nothing ran")
	}
}

func TestScheduler_GangIsCancelled(t *testing.T) {
	r := newRig(t, bigHost)
	r.run()
	job, path := r.gang("four", "gang-gate")
	r.submit(job)
	r.up(path)
	if err := r.Cancel(t.Context(), project, "four"); err != nil {
		t.Fatal(err)
	}
	r.until("four", ml.JobCancelled)
	r.gone("hearth.four.1", path)
}

func TestScheduler_GangSurvivesRestart(t *testing.T) {
	r := newRig(t, bigHost)
	r.run()
	job, path := r.gang("four", "gang-gate")
	r.submit(job)
	r.up(path)
	before := r.member(path, "chief-0").Cluster
	r.restart()
	r.let(path)
	r.until("four", ml.JobSucceeded)
	if after := r.member(path, "chief-0").Cluster; !slices.Equal(before["worker"], after["worker"]) || runs(path) != 4 {
		t.Errorf("%d replicas ran; cluster %v, then %v", runs(path), before, after)
	}
}

func TestScheduler_GangStartsWholeOrNotAtAll(t *testing.T) {
	r := newRig(t, func(o *scheduler.Options) {
		bigHost(o)
		o.Executor = &noStart{o.Executor, "ps-replica-0"}
	})
	r.run()
	job, _ := r.gang("four", "gang-gate")
	r.submit(job)
	r.until("four", ml.JobFailed)
	for _, task := range gangTasks[:3] {
		exit, err := r.options.Executor.Wait(t.Context(), "hearth.four.1/"+task)
		if err != nil || !exit.Stopped {
			t.Errorf("%s: %+v, %v", task, exit, err)
		}
	}
	if r.options.Executor.Started("hearth.four.1/ps-replica-0") {
		t.Error("the parameter server was started")
	}
}

// noStart is a host on which one task cannot be started.
type noStart struct {
	scheduler.Executor
	task string
}

func (n *noStart) Start(ctx context.Context, id string, p ml.Process) error {
	if strings.HasSuffix(id, "/"+n.task) {
		return syscall.EAGAIN
	}
	return n.Executor.Start(ctx, id, p)
}

// lossy is a host that restarts while the first attempts of jobs run.
type lossy struct {
	scheduler.Executor
	attempts string
}

func (l *lossy) Wait(ctx context.Context, id string) (ml.Exit, error) {
	exit, err := l.Executor.Wait(ctx, id)
	attempt, _, _ := strings.Cut(id, "/")
	if err == nil && strings.Contains(l.attempts, attempt[len(attempt)-1:]) {
		exit = ml.Exit{Code: -1, Lost: true, Reason: "the host restarted", Ended: exit.Ended}
	}
	return exit, err
}

func TestScheduler_HostRestarts(t *testing.T) {
	for _, c := range []struct {
		name     string
		requeue  bool
		attempts string // that the host loses
		state    ml.JobState
		runs     int
	}{
		{"fails", false, "1", ml.JobFailed, 1},
		{"runs again", true, "1", ml.JobSucceeded, 2},
		{"not for ever", true, "1234", ml.JobFailed, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(o *scheduler.Options) {
				o.Requeue = c.requeue
				o.Executor = &lossy{o.Executor, c.attempts}
			})
			// The environment is there already: its installer is not lost.
			warm, _ := r.job("warm", "ok")
			r.run()
			r.submit(warm)
			if _, err := waitFinal(r, "warm"); err != nil {
				t.Fatal(err)
			}
			job, path := r.job("lost", "ok")
			r.submit(job)
			got, err := waitFinal(r, "lost")
			if err != nil || got.State != c.state || runs(path) != c.runs {
				t.Fatalf("%s after %d runs, %q, %v", got.State, runs(path), got.ErrorMessage, err)
			}
			a, err := r.db.LatestAttempt(project, "lost")
			if err != nil || a.Number != c.runs {
				t.Errorf("attempt %+v, %v", a, err)
			}
			if c.state == ml.JobFailed && (a.Cause != metadata.CauseInfrastructure || !strings.Contains(got.ErrorMessage, "the host restarted. This is no fault of the program's.")) {
				t.Errorf("cause %s, message %q", a.Cause, got.ErrorMessage)
			}
		})
	}
}

func waitFinal(r *rig, id string) (*ml.Job, error) {
	deadline := time.After(30 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		job, err := r.db.Job(project, id)
		if err != nil || job.State.Final() {
			tick.Stop()
			return job, err
		}
		select {
		case <-tick.C:
		case <-deadline:
			return job, context.DeadlineExceeded
		}
	}
}
