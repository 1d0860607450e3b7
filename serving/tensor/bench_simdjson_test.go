package tensor

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkDecodeImageBesideSimdjson reads an image in turn with simdjson's on-demand
// reader, in a C++ program of its own (bench/simdjson), which bench/run.sh makes where
// the library is installed. Figures are the medians of rounds; the ratio is ours by
// simdjson's, more is better.
func BenchmarkDecodeImageBesideSimdjson(b *testing.B) {
	const rounds, reads = 15, 100
	program := os.Getenv("HEARTH_BENCH_SIMDJSON")
	if program == "" {
		b.Skip("HEARTH_BENCH_SIMDJSON is not set: run make bench where libsimdjson-dev is installed")
	}
	body, signatures := imageRequest()
	file := filepath.Join(b.TempDir(), "image.json")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(program, file)
	in, out := pipes(b, cmd)
	var ours, theirs []time.Duration
	for range rounds {
		began := time.Now()
		for range reads {
			if _, err := Decode(body, signatures); err != nil {
				b.Fatal(err)
			}
		}
		ours = append(ours, time.Since(began))
		var took time.Duration
		var numbers int
		if _, err := fmt.Fprintln(in, reads); err != nil {
			b.Fatal(err)
		}
		if _, err := fmt.Fscan(out, &took, &numbers); err != nil || numbers != 224*224*3 {
			b.Fatalf("simdjson read %d numbers: %v", numbers, err)
		}
		theirs = append(theirs, took)
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	speed := func(d time.Duration) float64 { return float64(len(body)) * reads / d.Seconds() / 1e6 }
	b.ReportMetric(speed(ours[rounds/2]), "MB/s")
	b.ReportMetric(speed(theirs[rounds/2]), "simdjson-MB/s")
	b.ReportMetric(float64(theirs[rounds/2])/float64(ours[rounds/2]), "ratio")
}

// pipes starts a program that is asked and answers, until the benchmark ends.
func pipes(b *testing.B, cmd *exec.Cmd) (in io.Writer, out io.Reader) {
	w, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		w.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	return w, out
}
