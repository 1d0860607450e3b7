package tests

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// peers are a daemon and a Slurm that run the same program with the same Python.
type peers struct {
	*daemon
	uri, module, python string
	stamps              string
}

func newPeers(b *testing.B) *peers {
	fromEnv(b, "HEARTH_BENCH_SLURM")
	p := &peers{daemon: newDaemon(b), module: moduleFolder(b, nothing), stamps: b.TempDir()}
	p.python = filepath.Join(p.data, "runtimes", "test", "bin", "python")
	p.uri = p.upload(trainer(b, nothing), "nothing")
	p.runHearth("warm")
	return p
}

// runHearth submits a job as a user does, and gives the time to its first line.
func (p *peers) runHearth(job string) time.Duration {
	stamp := filepath.Join(p.stamps, job)
	began := time.Now()
	p.must("jobs", "submit", "training", job, "--packages", p.uri, "--module-name", "trainer.task", "--runtime-version", "test", "--", stamp)
	p.wait(job)
	return readStamp(p.t, stamp).Sub(began)
}

// runSlurm is runHearth under Slurm.
func (p *peers) runSlurm(job string) time.Duration {
	stamp := filepath.Join(p.stamps, job)
	began := time.Now()
	p.sbatch("--wait", p.python+" -m trainer.task "+stamp)
	return readStamp(p.t, stamp).Sub(began)
}

func (p *peers) sbatch(how, command string) {
	cmd := exec.Command("sbatch", "--chdir", p.module, "--output", "/dev/null", "--ntasks", "1", how, "--wrap", command)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("sbatch: %v\n%s", err, out)
	}
}

// BenchmarkSlurm_Start is the time from submit to the trainer's first line, by
// each one's command, in turn.
func BenchmarkSlurm_Start(b *testing.B) {
	p := newPeers(b)
	for n := range b.N {
		var ours, slurm []time.Duration
		for i := range 15 {
			ours = append(ours, p.runHearth(fmt.Sprintf("ours_%d_%d", n, i)))
			slurm = append(slurm, p.runSlurm(fmt.Sprintf("slurm_%d_%d", n, i)))
		}
		b.ReportMetric(ms(median(ours)), "hearth-ms")
		b.ReportMetric(ms(median(slurm)), "slurm-ms")
		b.ReportMetric(float64(median(ours))/float64(median(slurm)), "ratio")
	}
}

// BenchmarkSlurm_Jobs is how many jobs a second are submitted, run and over: one
// request each for Hearth, one array of jobs for Slurm, which is its fastest way.
func BenchmarkSlurm_Jobs(b *testing.B) {
	p := newPeers(b)
	for n := range b.N {
		const many, few = 400, 60
		began := time.Now()
		for i := range many {
			job := fmt.Sprintf("job_%d_%d", n, i)
			p.submit(job, p.uri, filepath.Join(p.stamps, job))
		}
		p.awaitStamps(b, fmt.Sprintf("job_%d_*", n), many)
		ours := many / time.Since(began).Seconds()
		began = time.Now()
		p.sbatch(fmt.Sprintf("--array=1-%d", few), fmt.Sprintf("%s -m trainer.task %s/array_%d_$SLURM_ARRAY_TASK_ID", p.python, p.stamps, n))
		p.awaitStamps(b, fmt.Sprintf("array_%d_*", n), few)
		slurm := few / time.Since(began).Seconds()
		b.ReportMetric(ours, "hearth-jobs/s")
		b.ReportMetric(slurm, "slurm-jobs/s")
		b.ReportMetric(ours/slurm, "ratio")
	}
}

// awaitStamps waits until so many jobs have run.
func (p *peers) awaitStamps(b *testing.B, pattern string, n int) {
	await(b, fmt.Sprintf("%d files %s", n, pattern), func() bool {
		done, err := filepath.Glob(filepath.Join(p.stamps, pattern))
		check(b, err)
		return len(done) == n
	})
}
