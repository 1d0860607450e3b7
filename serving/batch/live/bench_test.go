package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/serving/batch"
	"hearth/serving/tensor"
	"hearth/serving/tensorflow"
	"hearth/serving/tfrecord"
	"hearth/serving/worker"
)

// bucketOf serves one object, and takes and forgets all others.
func bucketOf(b *testing.B, content string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			_, _ = io.Copy(io.Discard, r.Body)
		case r.URL.Query().Get("alt") == "media":
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
		case path.Base(r.URL.Path) == "in":
			fmt.Fprintf(w, `{"name":"in","size":"%d","generation":"1"}`, len(content))
		default:
			_, _ = io.WriteString(w, "{}")
		}
	}))
	b.Cleanup(server.Close)
	return server.URL
}

// BenchmarkBatch measures a worker by itself, its start taken off.
func BenchmarkBatch(b *testing.B) {
	models, library := os.Getenv("HEARTH_TEST_MODELS"), os.Getenv("HEARTH_TEST_TENSORFLOW")
	if models == "" || library == "" {
		b.Skip("HEARTH_TEST_MODELS or HEARTH_TEST_TENSORFLOW is not set: run make bench")
	}
	for _, c := range []struct {
		model, tag, signature, format string
		rows                          int
	}{
		{"widedeep_tabular", "_b24", "", ml.FormatJSON, 2_000_000},
		{"widedeep_tabular", "_predict_examples_b4", "predict_examples", ml.FormatTFRecord, 1_000_000},
		{"mlp_784_512_512_10", "_b32", "", ml.FormatJSON, 100_000},
		{"mobilenetv2_224", "_b2", "", ml.FormatJSON, 200},
		{"mobilenetv2_224", "_serving_jpeg_b8", "serving_jpeg", ml.FormatTFRecord, 800},
	} {
		b.Run(c.model+"_"+c.format, func(b *testing.B) {
			var request struct{ Instances []json.RawMessage }
			text, err := os.ReadFile(filepath.Join(models, c.model, "request"+c.tag+".json"))
			if err != nil {
				b.Fatal(err)
			}
			if err := json.Unmarshal(text, &request); err != nil {
				b.Fatal(err)
			}
			var once []byte
			for _, r := range request.Instances {
				if c.format == ml.FormatJSON {
					once = append(append(once, r...), '\n')
					continue
				}
				var record struct{ B64 []byte }
				if err := json.Unmarshal(r, &record); err != nil {
					b.Fatal(err)
				}
				once = tfrecord.Append(once, record.B64)
			}
			run := func(times int) time.Duration {
				state, temp := b.TempDir(), b.TempDir()
				began := time.Now()
				err := batch.Main(context.Background(), batch.Options{
					Proxy: bucketOf(b, strings.Repeat(string(once), times)), Log: zerolog.Nop(),
					Task: ml.PredictionTask{
						ModelDir: filepath.Join(models, c.model, "1"), StateDir: state, TempDir: temp, Cores: runtime.NumCPU(), ShardBytes: 64 << 20, MaxErrorRate: 0,
						Input: ml.PredictionInput{DataFormat: c.format, SignatureName: c.signature, InputPaths: []string{"gs://b/in"}, OutputPath: "gs://b/out"},
					},
					Loader: func(dir string) (worker.Servable, error) {
						if err := tensorflow.LoadLibrary(library); err != nil {
							return nil, err
						}
						return tensorflow.Load(dir, -1, 1)
					},
				})
				if err != nil {
					b.Fatal(err)
				}
				plan, _ := os.ReadFile(filepath.Join(state, ml.FilePlan))
				if i := strings.LastIndex(string(plan), `"batchSize"`); times > 1 {
					b.Log(string(plan[i:]))
				}
				return time.Since(began)
			}
			for b.Loop() {
				idle := processorTime(b)
				start := run(1)
				small := processorTime(b) - idle
				times := c.rows / len(request.Instances)
				took := run(times) - start
				used := processorTime(b) - idle - 2*small
				n := times * len(request.Instances)
				b.ReportMetric(float64(n)/took.Seconds(), "instances/s")
				bound := time.Duration(float64(n)*float64(parts(b, library, filepath.Join(models, c.model, "1"), c.signature, c.format, once))) / time.Duration(runtime.NumCPU())
				b.ReportMetric(took.Seconds()/bound.Seconds(), "ratio")
				// Where others use the processors too, this says more; it has the bucket's.
				b.ReportMetric(used.Seconds()/float64(runtime.NumCPU())/bound.Seconds(), "cpu-ratio")
			}
		})
	}
}

// parts is the processor time that one instance takes at least: to read, to parse,
// to run and to format it, each measured alone at its best, in one thread.
func parts(b *testing.B, library, dir, signature, format string, once []byte) time.Duration {
	if err := tensorflow.LoadLibrary(library); err != nil {
		b.Fatal(err)
	}
	model, err := tensorflow.Load(dir, -1, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer model.Close()
	sig, err := tensor.Select(model.Signatures(), signature)
	if err != nil {
		b.Fatal(err)
	}
	best := time.Duration(1 << 62)
	for size := 8; size <= 512; size *= 2 {
		read, lines, records := readBatch(b, format, once, size)
		var in map[string]*tensor.Tensor
		var out []*tensor.Tensor
		var text []byte
		took := read + shortest(func() {
			if format != ml.FormatJSON {
				spec, _ := sig.OnlyString()
				in = map[string]*tensor.Tensor{spec.Name: tensor.StringRows(spec, records)}
				return
			}
			rows, err := tensor.NewRows(sig)
			if err != nil {
				b.Fatal(err)
			}
			for at := 0; at < len(lines); {
				end := at + bytes.IndexByte(lines[at:], '\n')
				if err := rows.Add(lines, at, end); err != nil {
					b.Fatal(err)
				}
				at = end + 1
			}
			if in, err = rows.Inputs(); err != nil {
				b.Fatal(err)
			}
		}) + shortest(func() {
			if out, err = model.Run(context.Background(), sig, in); err != nil {
				b.Fatal(err)
			}
		}) + shortest(func() {
			if text, err = tensor.AppendLines(text[:0], sig, out, size); err != nil {
				b.Fatal(err)
			}
		})
		best = min(best, took/time.Duration(size))
	}
	return best
}

// readBatch gives so many records of a file that is repeated, and the time in which
// they are read from memory.
func readBatch(b *testing.B, format string, once []byte, size int) (took time.Duration, lines []byte, records [][]byte) {
	file := bytes.Repeat(once, size)
	took = shortest(func() {
		lines, records = lines[:0], records[:0]
		if format != ml.FormatJSON {
			for r := tfrecord.NewReader(bytes.NewReader(file), 1<<30); len(records) < size; {
				record, err := r.Next()
				if err != nil {
					b.Fatal(err)
				}
				records = append(records, bytes.Clone(record))
			}
			return
		}
		for at, n := 0, 0; n < size; n++ {
			end := at + bytes.IndexByte(file[at:], '\n') + 1
			lines, at = append(lines, file[at:end]...), end
		}
	})
	return took, lines, records
}

func shortest(f func()) time.Duration {
	best := time.Duration(1 << 62)
	for began, n := time.Now(), 0; n < 5 || n < 50 && time.Since(began) < 200*time.Millisecond; n++ {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
