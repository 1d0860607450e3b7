package tests

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// allCores is a trainer that keeps TensorFlow busy on every processor.
const allCores = `
import tensorflow as tf
x = tf.random.normal([512, 512])
w = tf.Variable(tf.random.normal([512, 512]) * 0.01)
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
	*daemon
	trainers []int
	models   []string
	bodies   [][]byte
}

func newNeighbours(b *testing.B, extra ...string) *neighbours {
	n := &neighbours{daemon: newDaemon(b, extra...)}
	for _, model := range []string{"half_plus_two", "mlp_784_512_512_10"} {
		n.model(model, model)
		body, err := os.ReadFile(filepath.Join(fromEnv(b, "HEARTH_TEST_MODELS"), model, "request_b1.json"))
		check(b, err)
		n.models, n.bodies = append(n.models, model), append(n.bodies, body)
	}
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
	n.signal(syscall.SIGSTOP)
	return n
}

func (n *neighbours) signal(sig syscall.Signal) {
	for _, pid := range n.trainers {
		check(n.t, syscall.Kill(pid, sig))
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

// BenchmarkTrainingBesideServing asks two versions at 30 % of what they can
// answer, alone and beside a training job that would use every processor: with
// the isolation and without, in turn. ratio is the median p99 beside training by
// the median p99 alone; kept is which part the training got of the processor
// time that serving left.
func BenchmarkTrainingBesideServing(b *testing.B) {
	const rounds, span = 7, 4 * time.Second
	with, without := newNeighbours(b), newNeighbours(b, "[sandbox]", "cgroups = false", `users = ""`)
	for range b.N {
		var capacity float64
		for i, model := range with.models {
			_, rate := load(b, with.addr, "/v1/projects/hearth/models/"+model+":predict", with.token, with.bodies[i], 2)
			capacity += rate / float64(len(with.models))
		}
		rate := 0.3 * capacity
		var alone, beside, bare, keptWith, keptWithout []time.Duration
		for range rounds {
			alone = append(alone, with.p99(b, rate, span))
			for _, c := range []struct {
				n          *neighbours
				p99s, kept *[]time.Duration
			}{{with, &beside, &keptWith}, {without, &bare, &keptWithout}} {
				c.n.signal(syscall.SIGCONT)
				trained, idle := c.n.trained(), idleTime(b)
				*c.p99s = append(*c.p99s, c.n.p99(b, rate, span))
				trained, idle = c.n.trained()-trained, idleTime(b)-idle
				*c.kept = append(*c.kept, time.Duration(float64(time.Second)*float64(trained)/float64(trained+idle)))
				c.n.signal(syscall.SIGSTOP)
			}
		}
		b.ReportMetric(rate, "requests/s")
		b.ReportMetric(us(median(alone)), "alone-p99-µs")
		b.ReportMetric(us(median(beside)), "beside-p99-µs")
		b.ReportMetric(us(median(bare)), "beside-without-p99-µs")
		b.ReportMetric(float64(median(beside))/float64(median(alone)), "ratio")
		b.ReportMetric(float64(median(bare))/float64(median(alone)), "ratio-without")
		b.ReportMetric(median(keptWith).Seconds(), "kept")
		b.ReportMetric(median(keptWithout).Seconds(), "kept-without")
	}
	with.signal(syscall.SIGCONT)
	without.signal(syscall.SIGCONT)
}

// p99 asks the versions in turn at a fixed rate, whether answers come or not,
// and gives the time that one answer of a hundred took longer than, counted from
// when its request was due.
func (n *neighbours) p99(b *testing.B, rate float64, span time.Duration) time.Duration {
	const conns = 8
	var mu sync.Mutex
	var all []time.Duration
	var senders sync.WaitGroup
	began := time.Now().Add(50 * time.Millisecond)
	every := time.Duration(float64(time.Second) / rate)
	for c := range conns {
		senders.Go(func() {
			conn, err := net.Dial("tcp", n.addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			var times []time.Duration
			for i := c; time.Duration(i)*every < span; i += conns {
				due := began.Add(time.Duration(i) * every)
				time.Sleep(time.Until(due))
				model := i / conns % len(n.models)
				if _, err := conn.Write(n.request(model)); err != nil {
					b.Error(err)
					return
				}
				if err := readAnswer(r); err != nil {
					b.Error(err)
					return
				}
				times = append(times, time.Since(due))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
		})
	}
	senders.Wait()
	return quantile(all, 0.99)
}

func (n *neighbours) request(model int) []byte {
	return fmt.Appendf(nil, "POST /v1/projects/hearth/models/%s:predict HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		n.models[model], n.addr, n.token, len(n.bodies[model]), n.bodies[model])
}
