package live

import (
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
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/serving/batch"
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
				start := run(1)
				times := c.rows / len(request.Instances)
				took := run(times) - start
				b.ReportMetric(float64(times*len(request.Instances))/took.Seconds(), "instances/s")
			}
		})
	}
}
