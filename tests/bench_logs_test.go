package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// talkative prints as many lines as it is asked for, not more than so many a
// second if a number is given, and notes how many seconds that took.
const talkative = `
import sys, time
lines, rate = int(sys.argv[2]), int(sys.argv[3])
began = time.monotonic()
for i in range(lines):
    print("step %d: loss = 0.123456, accuracy = 0.987654, examples/sec = 12345.67" % i)
    if rate and i % 1000 == 999:
        time.sleep(max(0, began + i / rate - time.monotonic()))
open(sys.argv[1], "w").write(repr(time.monotonic() - began))
`

// BenchmarkLog_Talkative is a trainer that prints a million lines, beside bare
// Python that prints them into a file on the same disk: without a pause, and
// 100,000 a second while a client follows. It gives how much slower the trainer
// is, how fast the follower gets lines, of which none may be missing, and the
// daemon's peak of memory before the million lines and after five times as many.
func BenchmarkLog_Talkative(b *testing.B) {
	const lines, rounds = 1_000_000, 5
	for name, rate := range map[string]int{"unbound": 0, "100k": 100_000} {
		b.Run(name, func(b *testing.B) {
			d := newDaemon(b)
			t := talker{daemon: d, uri: d.upload(trainer(b, talkative), "talkative"), module: moduleFolder(b, talkative), stamp: filepath.Join(b.TempDir(), "stamp"), rate: rate}
			t.talk(b, "few", lines/10)
			before := d.peakMemory()
			for n := range b.N {
				var ours, bare, followed []time.Duration
				for i := range rounds {
					took, all := t.talk(b, fmt.Sprintf("many_%d_%d", n, i), lines)
					ours, followed = append(ours, took), append(followed, all)
					bare = append(bare, t.talkBare(b, lines))
				}
				b.ReportMetric(lines/median(ours).Seconds(), "lines/s")
				b.ReportMetric(lines/median(bare).Seconds(), "bare-lines/s")
				b.ReportMetric(float64(median(ours))/float64(median(bare)), "ratio")
				b.ReportMetric(lines/median(followed).Seconds(), "followed-lines/s")
				b.ReportMetric(before, "peak-before-MiB")
				b.ReportMetric(d.peakMemory(), "peak-MiB")
			}
		})
	}
}

// talker is what a talkative job needs, and the bare program.
type talker struct {
	*daemon
	uri, module, stamp string
	rate               int
}

// talk runs a job that prints, and gives the time that the printing took and
// the time from submit until a follower had all of it. Who prints without a
// bound is followed only afterwards: it would share the processors.
func (t *talker) talk(b *testing.B, job string, lines int) (printed, followed time.Duration) {
	began := time.Now()
	t.submit(job, t.uri, t.stamp, strconv.Itoa(lines), strconv.Itoa(t.rate))
	if t.rate == 0 {
		await(b, job+" has ended", func() bool {
			_, got := t.call("GET", "/v1/projects/hearth/jobs/"+job, "")
			return got["endTime"] != nil
		})
		began = time.Now()
	}
	out := t.must("jobs", "stream-logs", job)
	followed = time.Since(began)
	if n := strings.Count(out, "\tstep "); n != lines {
		b.Fatalf("the follower got %d lines of %d", n, lines)
	}
	return readSeconds(b, t.stamp), followed
}

// talkBare runs the same program as the jobs', into a file.
func (t *talker) talkBare(b *testing.B, lines int) time.Duration {
	log, err := os.Create(filepath.Join(t.module, "log"))
	check(b, err)
	defer log.Close()
	cmd := exec.Command(filepath.Join(t.data, "runtimes", "test", "bin", "python"), "-m", "trainer.task", t.stamp, strconv.Itoa(lines), strconv.Itoa(t.rate))
	cmd.Dir, cmd.Stdout, cmd.Env = t.module, log, append(os.Environ(), "PYTHONUNBUFFERED=1")
	check(b, cmd.Run())
	return readSeconds(b, t.stamp)
}

func readSeconds(b *testing.B, path string) time.Duration {
	seconds := readNumber(b, path)
	check(b, os.Remove(path))
	return time.Duration(seconds * float64(time.Second))
}
