package tensorflow

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
	"hearth/serving/tensor"
)

// needRuntime loads the TensorFlow that the tests are to use and gives the folder
// with the test models, or skips.
func needRuntime(t testing.TB) (models string) {
	t.Helper()
	library, models := os.Getenv("HEARTH_TEST_TENSORFLOW"), os.Getenv("HEARTH_TEST_MODELS")
	if library == "" || models == "" {
		t.Skip("no TensorFlow runtime: run make test")
	}
	if err := LoadLibrary(library); err != nil {
		t.Fatal(err)
	}
	return models
}

func load(t testing.TB, name string) *Model {
	t.Helper()
	models := needRuntime(t)
	m, err := Load(filepath.Join(models, name, "1"), -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// predict answers a request body as the service would.
func predict(m *Model, body []byte) ([]byte, error) {
	request, err := tensor.Decode(body, m.Signatures())
	if err != nil {
		return nil, err
	}
	outputs, err := m.Run(context.Background(), request.Signature, request.Inputs)
	if err != nil {
		return nil, err
	}
	return tensor.AppendPredictions(nil, request.Signature, outputs)
}

// Every request that the model script wrote gets the answer that Python's
// TensorFlow gave.
func TestModel_Run_AsPython(t *testing.T) {
	models := needRuntime(t)
	requests, err := filepath.Glob(filepath.Join(models, "*", "request*.json"))
	if err != nil || len(requests) == 0 {
		t.Fatalf("no requests in %s: %v", models, err)
	}
	for _, path := range requests {
		folder, file := filepath.Split(path)
		name := filepath.Base(folder)
		t.Run(name+"/"+file, func(t *testing.T) {
			body := read(t, path)
			want := read(t, filepath.Join(folder, "expected"+strings.TrimPrefix(file, "request")))
			got, err := predict(load(t, name), body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parse(t, want), parse(t, got), cmp.Comparer(near)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// near compares numbers as a float32 network may give them on other hardware;
// integers beyond float64 are compared as text.
func near(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, _ := a.Float64()
	y, _ := b.Float64()
	return (strings.ContainsAny(string(a+b), ".e")) && math.Abs(x-y) <= 1e-6+1e-5*math.Abs(y)
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, data []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

func TestModel_Signatures(t *testing.T) {
	m := load(t, "every_dtype")
	signatures := m.Signatures()
	if len(signatures) != 2 {
		t.Errorf("%d signatures, want those that are not TensorFlow's own", len(signatures))
	}
	input := signatures[tensor.DefaultSignature].Inputs["bfloat16"]
	want := tensor.Spec{Name: "bfloat16", Tensor: "serving_default_bfloat16:0", DType: tensor.BFloat16, Shape: []int64{-1, 2, 2}}
	if diff := cmp.Diff(want, input); diff != "" {
		t.Error(diff)
	}
	scalar := signatures["scalars"].Outputs["rows"]
	if scalar.UnknownRank || len(scalar.Shape) != 0 || scalar.DType != tensor.Int32 {
		t.Errorf("a scalar output became %+v", scalar)
	}
}

func TestModel_Run_ScalarsAreOneRow(t *testing.T) {
	got, err := predict(load(t, "every_dtype"), []byte(`{"signature_name": "scalars", "instances": ["a", "b"]}`))
	if want := `{"predictions": [{"joined": "ab", "rows": 2}]}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestModel_Run_GraphError(t *testing.T) {
	m := load(t, "every_dtype")
	body := bytes.ReplaceAll(read(t, filepath.Join(os.Getenv("HEARTH_TEST_MODELS"), "every_dtype", "request_b1.json")),
		[]byte(`"int32": [[0`), []byte(`"int32": [[-1`))
	_, err := predict(m, body)
	if ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), "int32 is negative") || !strings.HasSuffix(err.Error(), "(Error code: 2)") {
		t.Errorf("got %v", err)
	}
}

func TestModel_Run_MissingInput(t *testing.T) {
	m := load(t, "half_plus_two")
	_, err := m.Run(t.Context(), m.Signatures()[tensor.DefaultSignature], nil)
	if ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), "Input x was missing") {
		t.Errorf("got %v", err)
	}
}

func TestModel_Run_Canceled(t *testing.T) {
	m := load(t, "half_plus_two")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Run(ctx, m.Signatures()[tensor.DefaultSignature], nil); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestModel_Run_Concurrently(t *testing.T) {
	m := load(t, "half_plus_two")
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 200 {
				x := worker*1000 + i
				got, err := predict(m, fmt.Appendf(nil, `{"instances": [%d]}`, x))
				if want := fmt.Sprintf(`{"predictions": [{"y": %.1f}]}`, float64(x)/2+2); err != nil || string(got) != want {
					t.Errorf("got %s, %v, want %s", got, err, want)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestModel_Close_EndsRuns(t *testing.T) {
	m := load(t, "half_plus_two")
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := predict(m, []byte(`{"instances": [1]}`)); err == nil {
		t.Error("a closed model ran")
	}
}

func TestLoad_Broken(t *testing.T) {
	models := needRuntime(t)
	whole := filepath.Join(models, "half_plus_two", "1")
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string
	}{
		{"NoFolder", func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, "saved_model.pb is missing"},
		{"NoGraph", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, graphFile))) }, "saved_model.pb is missing"},
		{"Garbage", func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, graphFile), []byte("<html>not found</html>"), 0o644))
		}, "is not a SavedModel"},
		{"GraphTruncated", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, graphFile), 1000)) }, "is not a SavedModel"},
		{"OtherTag", func(t *testing.T, dir string) {
			path := filepath.Join(dir, graphFile)
			data := bytes.Replace(read(t, path), []byte("\x22\x05serve"), []byte("\x22\x05train"), 1)
			must(t, os.WriteFile(path, data, 0o644))
		}, `no graph with the tag "serve"; its graphs have the tags: {train}`},
		{"VariablesTruncated", func(t *testing.T, dir string) {
			must(t, os.Truncate(filepath.Join(dir, "variables", "variables.data-00000-of-00001"), 3))
		}, "one may be cut short"},
		{"NoVariables", func(t *testing.T, dir string) { must(t, os.RemoveAll(filepath.Join(dir, "variables"))) }, "variables.index is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "model")
			must(t, os.CopyFS(dir, os.DirFS(whole)))
			test.spoil(t, dir)
			m, err := Load(dir, -1, 0)
			if err == nil {
				t.Cleanup(func() { m.Close() })
				_, err = predict(m, []byte(`{"instances": [1]}`))
				t.Fatalf("loaded; a run gives %v", err)
			}
			if ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLoadLibrary(t *testing.T) {
	if Version() == "" {
		if _, err := Load(t.TempDir(), -1, 0); ml.KindOf(err) != ml.FailedPrecondition {
			t.Errorf("Load without a library: %v", err)
		}
		err := LoadLibrary(t.TempDir())
		if ml.KindOf(err) != ml.FailedPrecondition || !strings.Contains(err.Error(), "libtensorflow_framework.so.2 is missing") {
			t.Errorf("no library: %v", err)
		}
	}
	needRuntime(t)
	if err := LoadLibrary(os.Getenv("HEARTH_TEST_TENSORFLOW")); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := LoadLibrary("/elsewhere"); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("another one: %v", err)
	}
	if !strings.HasPrefix(Version(), "2.") {
		t.Errorf("version %q", Version())
	}
}

func BenchmarkModel_Run(b *testing.B) {
	for _, name := range []string{"half_plus_two", "mlp_784_512_512_10", "widedeep_tabular"} {
		b.Run(name, func(b *testing.B) {
			m := load(b, name)
			request, err := tensor.Decode(read(b, filepath.Join(os.Getenv("HEARTH_TEST_MODELS"), name, "request_b1.json")), m.Signatures())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Run(b.Context(), request.Signature, request.Inputs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
