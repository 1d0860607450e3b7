package live

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hearth/serving/frame"
	"hearth/serving/tensorflow"
	"hearth/serving/worker"
)

// fromEnv gives what make sets up for the tests, and skips without it.
func fromEnv(t testing.TB, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Skipf("%s is not set; `make test` sets it", name)
	}
	return v
}

// start runs a worker on a SavedModel in this process and gives a connection to
// it and its final state.
func start(t testing.TB, model string) (*frame.Conn, frame.Frame) {
	t.Helper()
	return startIn(t, t.TempDir(), model)
}

// startIn is start with the worker's socket in a folder.
func startIn(t testing.TB, dir, model string) (*frame.Conn, frame.Frame) {
	t.Helper()
	library := fromEnv(t, "HEARTH_TEST_TENSORFLOW")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- worker.Main(ctx, worker.Options{Dir: dir, ModelDir: model, Log: zerolog.New(zerolog.NewTestWriter(t)),
			Loader: func(_ context.Context, dir string, _ worker.Threads) (worker.Servable, error) {
				if err := tensorflow.LoadLibrary(library); err != nil {
					return nil, err
				}
				return tensorflow.Load(dir, -1, 0)
			}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Main gave %v", err)
		}
	})
	for {
		c, err := frame.Dial(ctx, dir)
		if err != nil {
			select {
			case err := <-done:
				done <- err
				t.Fatalf("the worker ended: %v", err)
			default:
				continue // it does not listen yet
			}
		}
		t.Cleanup(func() { c.Close() })
		return c, ask(t, c, frame.Frame{Kind: frame.State, Timeout: time.Minute})
	}
}

func ask(t testing.TB, c *frame.Conn, f frame.Frame) frame.Frame {
	t.Helper()
	if err := c.Write(f); err != nil {
		t.Fatal(err)
	}
	answer, err := c.Read()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func predict(t testing.TB, c *frame.Conn, body string) (int, string) {
	t.Helper()
	f := ask(t, c, frame.Frame{Kind: frame.Predict, Timeout: time.Minute, Body: []byte(body)})
	return f.Status, string(f.Body)
}

func TestWorker_HalfPlusTwo(t *testing.T) {
	c, state := start(t, filepath.Join(fromEnv(t, "HEARTH_TEST_MODELS"), "half_plus_two", "1"))
	if state.Status != frame.Ready {
		t.Fatalf("state %d: %s", state.Status, state.Body)
	}
	for body, want := range map[string]string{
		`{"instances": [1.0, 5]}`:     `{"predictions": [{"y": 2.5}, {"y": 4.5}]}`,
		`{"instances": [{"x": 2.0}]}`: `{"predictions": [{"y": 3}]}`,
	} {
		status, got := predict(t, c, body)
		if status != 200 || canonical(t, got) != canonical(t, want) {
			t.Errorf("%s: %d %s, want %s", body, status, got, want)
		}
	}
	for _, body := range []string{`{"instances": [[1, 2]]}`, `{"instances": ["one"]}`, `{"instances": [{}]}`, `{"instances": [1`} {
		if status, got := predict(t, c, body); status != 400 || !strings.HasPrefix(got, `{"error":"Prediction failed: `) {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
}

func TestWorker_EveryModelBecomesReady(t *testing.T) {
	models := fromEnv(t, "HEARTH_TEST_MODELS")
	folders, err := filepath.Glob(filepath.Join(models, "*", "1"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no models in %s, %v", models, err)
	}
	for _, dir := range folders {
		t.Run(filepath.Base(filepath.Dir(dir)), func(t *testing.T) {
			if _, state := start(t, dir); state.Status != frame.Ready {
				t.Errorf("state %d: %s", state.Status, state.Body)
			}
		})
	}
}

func TestWorker_CannotServe(t *testing.T) {
	fromEnv(t, "HEARTH_TEST_TENSORFLOW")
	t.Run("rubbish", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), []byte("this is no SavedModel"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, state := start(t, dir); state.Status != frame.Failed || len(state.Body) == 0 {
			t.Errorf("state %d: %s", state.Status, state.Body)
		}
	})
	t.Run("no variables", func(t *testing.T) {
		dir := t.TempDir()
		from := filepath.Join(fromEnv(t, "HEARTH_TEST_MODELS"), "mlp_784_512_512_10", "1", "saved_model.pb")
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, state := start(t, dir); state.Status != frame.Failed || len(state.Body) == 0 {
			t.Errorf("state %d: %s", state.Status, state.Body)
		}
	})
	t.Run("Keras model inside a module", func(t *testing.T) {
		_, state := start(t, savedBy(t, kerasInModule))
		if state.Status != frame.Failed || !strings.Contains(string(state.Body), "model.export") {
			t.Errorf("state %d: %s", state.Status, state.Body)
		}
	})
}

// savedBy gives the folder that a Python program has saved a model in.
func savedBy(t *testing.T, program string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "m")
	// site-packages/tensorflow is four folders below the environment.
	python := filepath.Join(fromEnv(t, "HEARTH_TEST_TENSORFLOW"), "..", "..", "..", "..", "bin", "python")
	cmd := exec.Command(python, "-c", program, dir)
	cmd.Env = append(os.Environ(), "TF_CPP_MIN_LOG_LEVEL=2", "CUDA_VISIBLE_DEVICES=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// function saves y = f(x) for x of a shape.
const function = `
import sys, tensorflow as tf
class M(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec(%s, tf.float32, name="x")])
    def f(self, x):
        return {"y": %s}
m = M()
tf.saved_model.save(m, sys.argv[1], signatures={"serving_default": m.f})
`

func TestWorker_FixedBatch(t *testing.T) {
	c, state := start(t, savedBy(t, fmt.Sprintf(function, "[2]", "x * 2.0")))
	if state.Status != frame.Ready {
		t.Fatalf("state %d: %s", state.Status, state.Body)
	}
	status, got := predict(t, c, `{"instances": [1, 2, 3]}`)
	if want := `{"predictions": [{"y": 2}, {"y": 4}, {"y": 6}]}`; status != 200 || canonical(t, got) != canonical(t, want) {
		t.Errorf("%d %s, want %s", status, got, want)
	}
}

// TestWorker_Company asks from several connections at once: no answer may depend
// on who else asks, for a model that runs batches and for one whose rows mean
// something to one another.
func TestWorker_Company(t *testing.T) {
	// Added to a model it takes its time, so that requests wait for one another.
	const slow = " + 1e-30 * tf.reduce_sum(tf.matmul(tf.fill([1000, 1000], x[0]), tf.ones([1000, 1000])))"
	for name, c := range map[string]struct {
		y      string
		answer func(i int) (first, second int) // to i and i + 1
	}{
		"rows apart":    {"x - 10.0", func(i int) (int, int) { return i - 10, i - 9 }},
		"rows compared": {"x - tf.reduce_max(x) - 1.0", func(int) (int, int) { return -2, -1 }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := savedBy(t, fmt.Sprintf(function, "[None]", c.y+slow))
			socket := t.TempDir()
			_, state := startIn(t, socket, dir)
			if together := strings.Contains(string(state.Body), "in one run"); together != (name == "rows apart") {
				t.Errorf("state %d: %s", state.Status, state.Body)
			}
			var clients sync.WaitGroup
			for i := range 8 {
				conn, err := frame.Dial(t.Context(), socket)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				first, second := c.answer(i)
				want := fmt.Sprintf(`{"predictions": [{"y": %d.0}, {"y": %d.0}]}`, first, second)
				clients.Go(func() {
					for range 5 {
						status, got := predict(t, conn, fmt.Sprintf(`{"instances": [%d, %d]}`, i, i+1))
						if status != 200 || got != want {
							t.Errorf("%d %s, want %s", status, got, want)
							return
						}
					}
				})
			}
			clients.Wait()
		})
	}
}

// kerasInModule saves a model in the way that loads and then fails every run.
const kerasInModule = `
import sys, tensorflow as tf
class M(tf.Module):
    def __init__(self):
        super().__init__()
        self.k = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def __call__(self, x):
        return {"y": self.k(x)}
m = M()
tf.saved_model.save(m, sys.argv[1], signatures={"serving_default": m.__call__})
`

// canonical makes JSON comparable as text.
func canonical(t testing.TB, s string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// BenchmarkHop measures a prediction over the worker's socket beside the model
// alone: what is left is decoding, encoding and the way.
func BenchmarkHop(b *testing.B) {
	dir := filepath.Join(fromEnv(b, "HEARTH_TEST_MODELS"), "half_plus_two", "1")
	c, state := start(b, dir)
	if state.Status != frame.Ready {
		b.Fatalf("state %d: %s", state.Status, state.Body)
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if status, answer := predict(b, c, `{"instances": [1.0, 2.0, 5.0]}`); status != 200 {
			b.Fatal(answer)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-µs")
}
