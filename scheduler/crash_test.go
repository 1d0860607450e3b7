package scheduler_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"hearth/ml"
	"hearth/scheduler/runtimes/wheeltest"
)

// crashDaemon is a daemon that submits one job and dies on the way, in a
// process of its own. Its arguments are folders and the trainer's file.
func crashDaemon(arg string) int {
	f := strings.Split(arg, "|")
	d, err := openDaemon(f[0], f[1], nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go d.Run(context.Background())
	job := crashJob(f[2])
	if _, err := d.Submit(context.Background(), project, job); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if _, err := untilState(d.db, job.JobID, ml.JobSucceeded); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func crashJob(path string) *ml.Job {
	return &ml.Job{JobID: "crash", TrainingInput: &ml.TrainingInput{
		PackageURIs:  []string{"gs://" + bucket + "/" + wheeltest.Trainer("").File()},
		PythonModule: "trainer.task",
		Args:         []string{"ok", path},
	}}
}

func TestScheduler_Crash(t *testing.T) {
	for _, point := range []string{
		"job submitted", "attempt started", "job prepared", "first replica started", "process started",
		"job running", "process ended", "job finished",
	} {
		t.Run(point, func(t *testing.T) {
			r := newRig(t, nil)
			r.close()
			path := r.dir + "/crash"
			cmd := exec.Command("/proc/self/exe", "crash-daemon", strings.Join([]string{r.dir, shared.dir, path}, "|"))
			cmd.Env = append(os.Environ(), "HEARTH_CRASH_AT="+point)
			out, err := cmd.CombinedOutput()
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
				t.Fatalf("the daemon did not crash: %v, %s", err, out)
			}
			r.open()
			r.run()
			job := r.until("crash", ml.JobSucceeded)
			if job.StartTime.IsZero() || job.EndTime.IsZero() {
				t.Errorf("times are missing: %+v", job)
			}
			if n := runs(path); n != 1 {
				t.Errorf("the trainer ran %d times", n)
			}
			a, err := r.db.LatestAttempt(project, "crash")
			if err != nil || a.Number != 1 || a.Ended.IsZero() {
				t.Errorf("the attempt is %+v, %v", a, err)
			}
		})
	}
}
