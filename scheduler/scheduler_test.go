package scheduler_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/ml"
	"hearth/scheduler"
	"hearth/scheduler/runtimes/wheeltest"
	"hearth/scheduler/training"
)

func TestScheduler_Success(t *testing.T) {
	r := newRig(t, nil)
	r.run()
	job, path := r.job("good", "describe")
	job.TrainingInput.JobDir = "gs://data/out"
	job.TrainingInput.Region = "europe-west1"
	r.submit(job)
	done := r.until("good", ml.JobSucceeded)
	if done.StartTime.IsZero() || done.EndTime.Before(done.StartTime.Time) || done.ErrorMessage != "" {
		t.Errorf("times or message are wrong: %+v", done)
	}
	var seen struct {
		Argv        []string
		Env         map[string]string
		Cwd, Prefix string
	}
	b, err := os.ReadFile(path + ".json")
	if err == nil {
		err = json.Unmarshal(b, &seen)
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"describe", path, "--job-dir", "gs://data/out"}; !slices.Equal(seen.Argv[1:], want) {
		t.Errorf("arguments are %q, want %q", seen.Argv[1:], want)
	}
	attempt := filepath.Join(r.dir, "attempts", "hearth.good.1")
	secret := training.Secret([]byte("key"), project, "good")
	for name, want := range map[string]string{
		"CLOUD_ML_JOB_ID":      "good",
		"CLOUD_ML_PROJECT_ID":  "hearth",
		"CUDA_VISIBLE_DEVICES": "",
		"TMPDIR":               filepath.Join(attempt, "scratch/master-replica-0/tmp"),
		"HOME":                 filepath.Join(attempt, "scratch/master-replica-0/home"),
		"https_proxy":          "http://hearth.good:" + secret + "@127.0.0.1:1",
		"CURL_CA_BUNDLE":       "/ca.pem",
		"GCE_METADATA_HOST":    "127.0.0.1:1",
	} {
		if got, ok := seen.Env[name]; !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if seen.Cwd != filepath.Join(attempt, "scratch/master-replica-0/work") {
		t.Errorf("the trainer ran in %s", seen.Cwd)
	}
	if _, err := os.Stat(seen.Cwd); err == nil {
		t.Error("the working folder was not cleared")
	}
	log := r.service("hearth.good.1")
	for _, want := range []string{"Preparing job good", "region has no effect here", "Running master-replica-0", "Job completed successfully."} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q: %s", want, log)
		}
	}
	if err := r.Authenticate(project, "good", secret); ml.KindOf(err) != ml.Unauthenticated {
		t.Errorf("a finished job's password gave %v", err)
	}
}

func TestScheduler_Failures(t *testing.T) {
	r := newRig(t, func(o *scheduler.Options) { o.MemoryLimit = 300 << 20 })
	r.run()
	type failure struct {
		name   string
		mode   string
		change func(*ml.Job)
		want   []string
	}
	for _, c := range []failure{
		{"traceback", "fail", nil, []string{
			"The replica master 0 exited with a non-zero status of 3. Traceback (most recent call last):",
			"ValueError: no such column: age",
		}},
		{"no_module", "", func(j *ml.Job) { j.TrainingInput.PythonModule = "trainer.missing" }, []string{
			"The replica master 0 exited with a non-zero status of 1.", "No module named trainer.missing",
		}},
		{"out_of_memory", "eat", nil, []string{"The replica master 0 ran out of memory (limit 0.3 GiB)."}},
		{"too_long", "gate", func(j *ml.Job) {
			j.TrainingInput.Scheduling = &ml.Scheduling{MaxRunningTime: ml.Duration(300 * time.Millisecond)}
		}, []string{"The job ran longer than its maximum running time of 300ms and was stopped."}},
		{"not_a_package", "", func(j *ml.Job) {
			r.put("broken-0.1.tar.gz", sdistWith(t, "broken-0.1/setup.py", "raise RuntimeError('this package is broken')\n"))
			j.TrainingInput.PackageURIs = append(j.TrainingInput.PackageURIs, "gs://data/broken-0.1.tar.gz")
		}, []string{"The trainer's packages could not be installed. ", "rror:"}},
		{"dependency", "", func(j *ml.Job) {
			needy := wheeltest.Wheel{Name: "needy", Version: "1", Files: map[string]string{"needy.py": ""}, Requires: []string{"no-such-package"}}
			r.put(needy.File(), needy.Bytes())
			j.TrainingInput.PackageURIs = append(j.TrainingInput.PackageURIs, "gs://data/"+needy.File())
		}, []string{"The trainer's packages could not be installed. needy asks for no-such-package", "nothing of that name can be found"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			job, _ := r.job(c.name, c.mode)
			if c.change != nil {
				c.change(job)
			}
			r.submit(job)
			done := r.until(c.name, ml.JobFailed)
			for _, want := range c.want {
				if !strings.Contains(done.ErrorMessage, want) {
					t.Errorf("the message lacks %q: %s", want, done.ErrorMessage)
				}
			}
		})
	}
}

func sdistWith(t *testing.T, name, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body)), Typeflag: tar.TypeReg})
	_, err2 := w.Write([]byte(body))
	if err := errors.Join(err, err2, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestScheduler_Submit(t *testing.T) {
	r := newRig(t, func(o *scheduler.Options) { o.GPUError = errors.New("driver/library version mismatch") })
	r.run()
	for name, c := range map[string]struct {
		change func(*ml.TrainingInput)
		field  string
		text   string
	}{
		"runtime": {func(in *ml.TrainingInput) { in.RuntimeVersion = "1.15" }, "trainingInput.runtimeVersion", "installed: 2.21"},
		"python":  {func(in *ml.TrainingInput) { in.PythonVersion = "2.7" }, "trainingInput.pythonVersion", "has Python 3"},
		"package": {func(in *ml.TrainingInput) { in.PackageURIs = append(in.PackageURIs, "gs://data/no.whl") }, "trainingInput.packageUris[1]", "There is no object gs://data/no.whl."},
		"bucket":  {func(in *ml.TrainingInput) { in.PackageURIs[0] = "gs://nothere/a.whl" }, "trainingInput.packageUris[0]", "gs://nothere/a.whl"},
		"gpu":     {func(in *ml.TrainingInput) { in.ScaleTier = "BASIC_GPU" }, "trainingInput.scaleTier", "does not work: driver/library version mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			job, _ := r.job("bad_"+name, "ok")
			c.change(job.TrainingInput)
			_, err := r.Submit(t.Context(), project, job)
			e := &ml.Error{}
			if !errors.As(err, &e) || e.Kind != ml.InvalidArgument || e.Field != c.field || !strings.Contains(e.Message, c.text) {
				t.Errorf("got %+v", err)
			}
			if _, err := r.db.Job(project, "bad_"+name); ml.KindOf(err) != ml.NotFound {
				t.Errorf("the job is there: %v", err)
			}
		})
	}
	t.Run("duplicate", func(t *testing.T) {
		job, _ := r.job("twice", "ok")
		r.submit(job)
		again := *job
		if _, err := r.Submit(t.Context(), project, &again); ml.KindOf(err) != ml.AlreadyExists {
			t.Errorf("got %v", err)
		}
		r.until("twice", ml.JobSucceeded)
	})
}

func TestScheduler_Queue(t *testing.T) {
	r := newRig(t, func(o *scheduler.Options) { o.CPUs = 1 })
	r.run()
	first, path1 := r.job("first", "gate")
	second, path2 := r.job("second", "ok")
	third, path3 := r.job("third", "ok")
	impatient, _ := r.job("impatient", "ok")
	impatient.TrainingInput.Scheduling = &ml.Scheduling{MaxWaitTime: ml.Duration(50 * time.Millisecond)}
	for _, j := range []*ml.Job{first, second, third, impatient} {
		r.submit(j)
	}
	r.up(path1)
	if err := r.CheckRuntimeUnused("2.21"); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("a used runtime gave %v", err)
	}
	if job := r.until("impatient", ml.JobFailed); !strings.Contains(job.ErrorMessage, "maximum waiting time of 50ms") {
		t.Errorf("message: %s", job.ErrorMessage)
	}
	if job, err := r.Job(project, "third"); err != nil || job.JobPosition != 2 {
		t.Errorf("third is %+v, %v", job, err)
	}
	if snap := r.Snapshot(); len(snap.Running) != 1 || snap.Running[0].Job != "first" || snap.Free.CPUs != 0 {
		t.Errorf("snapshot %+v", snap)
	}
	if runs(path2) != 0 {
		t.Error("second ran beside first")
	}
	r.let(path1)
	a, b, c := r.until("first", ml.JobSucceeded), r.until("second", ml.JobSucceeded), r.until("third", ml.JobSucceeded)
	if b.StartTime.Before(a.EndTime.Time) || c.StartTime.Before(b.EndTime.Time) {
		t.Error("jobs on one processor overlapped or changed places")
	}
	if runs(path2) != 1 || runs(path3) != 1 {
		t.Error("a job did not run once")
	}
	if err := r.CheckRuntimeUnused("2.21"); err != nil {
		t.Error(err)
	}
}

func TestScheduler_Cancel(t *testing.T) {
	r := newRig(t, func(o *scheduler.Options) { o.CPUs, o.Grace = 1, 200*time.Millisecond })
	r.run()
	cancel := func(id string) {
		t.Helper()
		if err := r.Cancel(t.Context(), project, id); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("queued and running", func(t *testing.T) {
		running, path := r.job("running", "stubborn")
		queued, queuedPath := r.job("queued", "ok")
		r.submit(running)
		r.submit(queued)
		r.up(path)
		if err := r.Authenticate(project, "running", training.Secret([]byte("key"), project, "running")); err != nil {
			t.Error(err)
		}
		if err := r.Authenticate(project, "running", "wrong"); ml.KindOf(err) != ml.Unauthenticated {
			t.Errorf("a wrong password gave %v", err)
		}
		cancel("queued")
		if job := r.until("queued", ml.JobCancelled); job.EndTime.IsZero() {
			t.Error("no end time")
		}
		cancel("running")
		r.until("running", ml.JobCancelled)
		if runs(queuedPath) != 0 {
			t.Error("a job that was cancelled in the queue ran")
		}
		cancel("running")
		if job := r.until("running", ml.JobCancelled); job.ErrorMessage != "" {
			t.Errorf("message %q", job.ErrorMessage)
		}
	})
	t.Run("preparing", func(t *testing.T) {
		job, path := r.job("preparing", "ok")
		// This package takes for ever to install.
		stuck := sdistWith(t, "stuck-0.1/setup.py", "open("+pyString(path+".up")+", 'w').close()\nopen("+pyString(path+".gate")+").read()\n")
		if err := r.put("stuck-0.1.tar.gz", stuck); err != nil {
			t.Fatal(err)
		}
		job.TrainingInput.PackageURIs = []string{"gs://data/stuck-0.1.tar.gz"}
		r.submit(job)
		r.up(path)
		cancel("preparing")
		r.until("preparing", ml.JobCancelled)
		if runs(path) != 0 {
			t.Error("the trainer ran")
		}
	})
	t.Run("missing", func(t *testing.T) {
		if err := r.Cancel(t.Context(), project, "nothing"); ml.KindOf(err) != ml.NotFound {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the slot is free again", func(t *testing.T) {
		job, _ := r.job("after", "ok")
		r.submit(job)
		r.until("after", ml.JobSucceeded)
	})
}

func pyString(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestScheduler_Restart(t *testing.T) {
	r := newRig(t, func(o *scheduler.Options) { o.CPUs = 1 })
	r.run()
	running, path := r.job("running", "gate")
	queued, queuedPath := r.job("queued", "ok")
	r.submit(running)
	r.submit(queued)
	r.up(path)
	r.restart()
	if snap := r.Snapshot(); len(snap.Running) != 1 || snap.Waiting() != 1 || snap.Free.CPUs != 0 {
		t.Errorf("after the restart: %+v", snap)
	}
	r.let(path)
	r.until("running", ml.JobSucceeded)
	r.until("queued", ml.JobSucceeded)
	if runs(path) != 1 || runs(queuedPath) != 1 {
		t.Errorf("ran %d and %d times", runs(path), runs(queuedPath))
	}

	t.Run("ended while nobody watched", func(t *testing.T) {
		job, path := r.job("alone", "gate")
		r.submit(job)
		r.up(path)
		r.stop()
		r.let(path)
		if _, err := r.options.Executor.Wait(t.Context(), "hearth.alone.1/master-replica-0"); err != nil {
			t.Fatal(err)
		}
		r.restart()
		r.until("alone", ml.JobSucceeded)
		if runs(path) != 1 {
			t.Errorf("ran %d times", runs(path))
		}
	})
	t.Run("cancelled just before", func(t *testing.T) {
		job, path := r.job("cancelled", "gate")
		r.submit(job)
		r.up(path)
		r.until("cancelled", ml.JobRunning)
		r.stop()
		if _, err := r.db.CancelJob(project, "cancelled"); err != nil {
			t.Fatal(err)
		}
		r.restart()
		r.until("cancelled", ml.JobCancelled)
	})
}
