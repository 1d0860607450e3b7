package tests

import (
	"bufio"
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
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
		b.ReportMetric(float64(statusOf(b, d.cmd.Process.Pid, "VmRSS:"))/1024, "RSS-MiB")
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

// programs are the processes that benchmarks run beside the daemon, which like
// it are none of the client's: this test binary with a variable set to the address
// to listen on.
var programs = map[string]func(net.Listener) error{
	"HEARTH_BENCH_FLOOR":         runFloor,
	"HEARTH_BENCH_ECHO":          serveEcho,
	"HEARTH_BENCH_ECHO_TLS":      serveEchoTLS,
	"HEARTH_BENCH_GRPC":          serveEchoGRPC,
	"HEARTH_BENCH_PREDICT_FLOOR": servePredictFloor,
}

func TestMain(m *testing.M) {
	for variable, serve := range programs {
		if addr := os.Getenv(variable); addr != "" {
			l, err := net.Listen("tcp", addr)
			if err == nil {
				fmt.Println("listening")
				err = serve(l)
			}
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// startProgram runs one of programs, with more in its environment, and gives its
// address.
func startProgram(b *testing.B, variable string, env ...string) string {
	addr := freeAddress(b)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), variable+"="+addr), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	check(b, err)
	check(b, cmd.Start())
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	_, err = bufio.NewReader(out).ReadString('\n')
	check(b, err)
	return addr
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

func medianBy[E any, T cmp.Ordered](all []E, of func(E) T) T {
	values := make([]T, len(all))
	for i, e := range all {
		values[i] = of(e)
	}
	return median(values)
}

func median[T cmp.Ordered](d []T) T { return quantile(d, 0.5) }

func quantile[T cmp.Ordered](d []T, q float64) T {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
func us(d time.Duration) float64 { return float64(d) / 1e3 }
