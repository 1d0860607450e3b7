package tests

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth/serving/tensor"
	"hearth/serving/tensorflow"
)

// The benchmarks here measure what a user waits for, each beside its limit in
// the same run: make bench. They are meant for -benchtime 1x; how often they
// repeat is up to them.

// BenchmarkCLI_Startup runs `hearth version` beside an empty C-less process.
func BenchmarkCLI_Startup(b *testing.B) {
	for range b.N {
		ours := medianOf(41, func() { check(b, exec.Command(binary(b), "version").Run()) })
		floor := medianOf(41, func() { check(b, exec.Command("/bin/true").Run()) })
		b.ReportMetric(ms(ours), "hearth-ms")
		b.ReportMetric(ms(floor), "true-ms")
	}
}

// BenchmarkDaemon_IdleMemory is the resident memory of a daemon that has done
// its start and nothing else.
func BenchmarkDaemon_IdleMemory(b *testing.B) {
	for range b.N {
		d := newDaemon(b)
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
		check(b, err)
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); f[0] == "VmRSS:" {
				kib, err := strconv.ParseFloat(f[1], 64)
				check(b, err)
				b.ReportMetric(kib/1024, "RSS-MiB")
			}
		}
	}
}

// BenchmarkJob_FirstLine is the time from submit to the trainer's first line,
// environment cached, beside bare `python -m` of the same module.
func BenchmarkJob_FirstLine(b *testing.B) {
	for name, c := range map[string]struct{ runtime, code string }{
		"nothing":    {"test", nothing},
		"tensorflow": {"2.21", "import sys, time\nimport tensorflow\nopen(sys.argv[1], 'w').write(repr(time.time()))\n"},
	} {
		b.Run(name, func(b *testing.B) {
			d := newDaemon(b)
			uri := d.upload(trainer(b, c.code), name)
			stamp := filepath.Join(b.TempDir(), "stamp")
			module := moduleFolder(b, c.code)
			python := filepath.Join(d.data, "runtimes", c.runtime, "bin", "python")
			d.firstLine(name+"_warm", uri, c.runtime, stamp)
			for range b.N {
				var ours, bare []time.Duration
				for i := range 7 {
					ours = append(ours, d.firstLine(name+"_"+strconv.Itoa(b.N)+"_"+strconv.Itoa(i), uri, c.runtime, stamp))
					bare = append(bare, barePython(b, python, module, stamp))
				}
				b.ReportMetric(ms(median(ours)), "hearth-ms")
				b.ReportMetric(ms(median(bare)), "python-ms")
				b.ReportMetric(float64(median(ours))/float64(median(bare)), "ratio")
			}
		})
	}
}

// nothing is a trainer that notes in a file of the given name when it ran.
const nothing = "import sys, time\nopen(sys.argv[1], 'w').write(repr(time.time()))\n"

// moduleFolder gives a folder in which `python -m trainer.task` runs the code.
func moduleFolder(t testing.TB, code string) string {
	t.Helper()
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "trainer"), 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "trainer", "task.py"), []byte(code), 0o600))
	return dir
}

func (d *daemon) firstLine(job, uri, runtime, stamp string) time.Duration {
	d.t.Helper()
	os.Remove(stamp)
	began := time.Now()
	if status, got := d.submitRaw(job, uri, runtime, stamp); status != 200 {
		d.t.Fatalf("submit: %d %v", status, got)
	}
	if got := d.wait(job); got["state"] != "SUCCEEDED" {
		d.t.Fatalf("%s: %v", job, got)
	}
	return readStamp(d.t, stamp).Sub(began)
}

func barePython(t testing.TB, python, dir, stamp string) time.Duration {
	t.Helper()
	os.Remove(stamp)
	cmd := exec.Command(python, "-m", "trainer.task", stamp)
	cmd.Dir = dir
	began := time.Now()
	check(t, cmd.Run())
	return readStamp(t, stamp).Sub(began)
}

func readStamp(t testing.TB, path string) time.Time {
	t.Helper()
	return time.UnixMicro(int64(readNumber(t, path) * 1e6))
}

func readNumber(t testing.TB, path string) float64 {
	t.Helper()
	b, err := os.ReadFile(path)
	check(t, err)
	n, err := strconv.ParseFloat(string(b), 64)
	check(t, err)
	return n
}

// BenchmarkPredict asks the daemon over one kept connection, beside a bare
// net/http echo in another process and the session run alone, interleaved.
func BenchmarkPredict(b *testing.B) {
	d := newDaemon(b)
	echo := startEcho(b, "HEARTH_BENCH_ECHO")
	for _, model := range []string{"half_plus_two", "mlp_784_512_512_10"} {
		d.model(model, model)
		body, err := os.ReadFile(filepath.Join(fromEnv(b, "HEARTH_TEST_MODELS"), model, "request_b1.json"))
		check(b, err)
		run := session(b, model, body)
		b.Run(model, func(b *testing.B) {
			for range b.N {
				d.predictRounds(b, model, echo, body, run)
			}
		})
	}
}

func (d *daemon) predictRounds(b *testing.B, model, echo string, body []byte, run func()) {
	hearth := target{d.addr, "/v1/projects/hearth/models/" + model + ":predict", d.token, body}
	bare := target{echo, "/", d.token, body}
	var ours, floor []time.Duration
	var ours16, floor16 float64
	for range 5 {
		one, _ := hearth.mustLoad(b, 1)
		base, _ := bare.mustLoad(b, 1)
		ours, floor = append(ours, one...), append(floor, base...)
		_, rate := hearth.mustLoad(b, 16)
		_, baseRate := bare.mustLoad(b, 16)
		ours16, floor16 = max(ours16, rate), max(floor16, baseRate)
	}
	session := medianOf(2000, run)
	limit := quantile(floor, 0.5) + session
	b.ReportMetric(us(quantile(ours, 0.5)), "p50-µs")
	b.ReportMetric(us(quantile(ours, 0.99)), "p99-µs")
	b.ReportMetric(us(quantile(floor, 0.5)), "echo-p50-µs")
	b.ReportMetric(us(quantile(floor, 0.99)), "echo-p99-µs")
	b.ReportMetric(us(session), "session-µs")
	b.ReportMetric(float64(quantile(ours, 0.5))/float64(limit), "ratio-to-echo+session")
	b.ReportMetric(ours16, "req/s-at-16")
	b.ReportMetric(floor16, "echo-req/s-at-16")
}

// session gives a function that runs the model once, through the same binding,
// on the tensors of the request.
func session(b *testing.B, model string, body []byte) func() {
	check(b, tensorflow.LoadLibrary(os.Getenv("HEARTH_TEST_TENSORFLOW")))
	m, err := tensorflow.Load(filepath.Join(fromEnv(b, "HEARTH_TEST_MODELS"), model, "1"), -1, 0)
	check(b, err)
	b.Cleanup(func() { m.Close() })
	req, err := tensor.Decode(body, m.Signatures())
	check(b, err)
	return func() {
		_, err := m.Run(context.Background(), req.Signature, req.Inputs)
		check(b, err)
	}
}

// startEcho runs a bare echo, of net/http or gRPC by the variable's name, in a
// process of its own, as the daemon is.
func startEcho(b *testing.B, variable string) string {
	addr := freeAddress(b)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+addr)
	out, err := cmd.StdoutPipe()
	check(b, err)
	check(b, cmd.Start())
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	_, err = bufio.NewReader(out).ReadString('\n')
	check(b, err)
	return addr
}

func TestMain(m *testing.M) {
	if spec := os.Getenv("HEARTH_BENCH_FLOOR"); spec != "" {
		l, err := net.Listen("tcp", os.Getenv("HEARTH_BENCH_ADDR"))
		if err == nil {
			err = runFloor(l, spec)
		}
		panic(err)
	}
	if addr := os.Getenv("HEARTH_BENCH_GRPC"); addr != "" {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			err = serveEchoGRPC(l)
		}
		panic(err)
	}
	if addr := os.Getenv("HEARTH_BENCH_ECHO"); addr != "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			panic(err)
		}
		fmt.Println("listening")
		panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			w.Write(b)
		})))
	}
	os.Exit(m.Run())
}

func medianOf(n int, f func()) time.Duration {
	times := make([]time.Duration, n)
	for i := range times {
		began := time.Now()
		f()
		times[i] = time.Since(began)
	}
	return median(times)
}

func median[T cmp.Ordered](d []T) T { return quantile(d, 0.5) }

func quantile[T cmp.Ordered](d []T, q float64) T {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
func us(d time.Duration) float64 { return float64(d) / 1e3 }
