package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// allCores is a trainer that keeps TensorFlow busy on every processor.
const allCores = `
import tensorflow as tf
x = tf.random.normal([4096, 1024])
w = tf.Variable(tf.random.normal([1024, 1024]) * 0.01)
@tf.function
def step():
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(tf.tanh(x @ w) @ w - x))
    w.assign_sub(0.1 * tape.gradient(loss, w))
    return loss
step()
print("training", flush=True)
while True:
    step()
`

// neighbours is a daemon with two versions and a training job beside them.
type neighbours struct {
	*asked
	trainers []int
}

func newNeighbours(b *testing.B, extra ...string) *neighbours {
	n := &neighbours{asked: newAsked(newDaemon(b, extra...), "half_plus_two", "mlp_784_512_512_10")}
	uri := n.upload(trainer(b, allCores), "all_cores")
	if status, got := n.submitRaw("all_cores", uri, "2.21"); status != 200 {
		b.Fatal(status, got)
	}
	awaitLines(b, filepath.Join(n.data, "attempts", "hearth.all_cores.1", "master-replica-0", "stdout.log"), 1)
	for _, pid := range n.processes() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.Contains(string(cmdline), "trainer.task") {
			n.trainers = append(n.trainers, pid)
		}
	}
	signal(b, n.trainers, syscall.SIGSTOP)
	return n
}

func signal(b *testing.B, pids []int, sig syscall.Signal) {
	for _, pid := range pids {
		check(b, syscall.Kill(pid, sig))
	}
}

// trained is the processor time that the training job has used.
func (n *neighbours) trained() (sum time.Duration) {
	for _, pid := range n.trainers {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		check(n.t, err)
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		for _, ticks := range f[11:13] {
			v, _ := strconv.Atoi(ticks)
			sum += time.Duration(v) * 10 * time.Millisecond
		}
	}
	return sum
}

// idleTime is how long the machine's processors have had nothing to do, all
// together.
func idleTime(t testing.TB) time.Duration {
	b, err := os.ReadFile("/proc/stat")
	check(t, err)
	f := strings.Fields(strings.SplitN(string(b), "\n", 2)[0])
	idle, _ := strconv.Atoi(f[4])
	wait, _ := strconv.Atoi(f[5])
	return time.Duration(idle+wait) * 10 * time.Millisecond
}

// BenchmarkTrainingBesideServing asks two versions in turn at 30 % of what they
// can answer, alone and beside a training job that would use every processor:
// with the isolation and without, in turn, the other daemon stopped. ratio is the
// median p99 beside training by the median p99 alone; kept is which part the
// training got of the processor time that serving left (two threads that wait for
// one another at every operation cannot get all of it).
func BenchmarkTrainingBesideServing(b *testing.B) {
	const rounds, span = 7, 4 * time.Second
	with, without := newNeighbours(b), newNeighbours(b, "[sandbox]", "cgroups = false", `users = ""`)
	for range b.N {
		signal(b, without.processes(), syscall.SIGSTOP)
		rate := 0.3 * with.capacity(b, time.Second)
		var alone, beside, bare, kept, keptWithout []float64
		for range rounds {
			signal(b, with.processes(), syscall.SIGCONT)
			signal(b, with.trainers, syscall.SIGSTOP)
			alone = append(alone, us(with.p99(b, rate, span)))
			for _, c := range []struct {
				n          *neighbours
				p99s, kept *[]float64
			}{{with, &beside, &kept}, {without, &bare, &keptWithout}} {
				signal(b, c.n.processes(), syscall.SIGCONT)
				trained, idle := c.n.trained(), idleTime(b)
				*c.p99s = append(*c.p99s, us(c.n.p99(b, rate, span)))
				trained, idle = c.n.trained()-trained, idleTime(b)-idle
				*c.kept = append(*c.kept, float64(trained)/float64(trained+idle))
				signal(b, c.n.processes(), syscall.SIGSTOP)
			}
		}
		b.Logf("p99 alone %.0f, beside %.0f, beside without isolation %.0f; kept %.3f, %.3f", alone, beside, bare, kept, keptWithout)
		b.ReportMetric(rate, "requests/s")
		b.ReportMetric(median(alone), "alone-p99-µs")
		b.ReportMetric(median(beside), "beside-p99-µs")
		b.ReportMetric(median(bare), "beside-without-p99-µs")
		b.ReportMetric(median(beside)/median(alone), "ratio")
		b.ReportMetric(median(bare)/median(alone), "ratio-without")
		b.ReportMetric(median(kept), "kept")
		b.ReportMetric(median(keptWithout), "kept-without")
	}
	signal(b, append(with.processes(), without.processes()...), syscall.SIGCONT)
}
