package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// caseFile is what tests/exports wrote beside a SavedModel: requests, and what
// Python's TensorFlow answers.
type caseFile struct {
	Model, Runtime, Path string
	Cases                []answered
	// BatchedApart is how far, by signature and output, Python's own answers to a row
	// alone and with others are from each other, in the units of [apart].
	BatchedApart map[string]map[string]float64
}

// answered is a request to a signature with its answer.
type answered struct {
	Signature string
	// Rows are empty for a request that has none.
	Rows    []json.RawMessage
	Inputs  json.RawMessage
	Outputs map[string]any
	// OneThread are the outputs of a session that gives an operation one thread.
	OneThread map[string]any
	Types     map[string]string
	// FunctionsApart is how far Python's functions are from this, the session's answer.
	FunctionsApart map[string]float64
}

// apart is how far an output is from the nearest that Python gives: with one thread for
// an operation or with as many as there are processors, which a worker chooses between.
func (c answered) apart(name string, got any) (float64, error) {
	units, err := apart(got, c.Outputs[name], c.Types[name])
	if err == nil && units == 0 {
		return 0, nil
	}
	one, oneErr := apart(got, c.OneThread[name], c.Types[name])
	switch {
	case oneErr != nil:
		return units, err
	case err != nil:
		return one, nil
	}
	return min(units, one), nil
}

// threadsApart is how far Python's answers with different threads are from each other.
func (c answered) threadsApart(name string) float64 {
	units, err := apart(c.OneThread[name], c.Outputs[name], c.Types[name])
	if err != nil {
		return 0
	}
	return units
}

func (f caseFile) signatures() map[string]bool {
	names := map[string]bool{}
	for _, c := range f.Cases {
		names[c.Signature] = true
	}
	return names
}

func readCases(t testing.TB, path string) caseFile {
	t.Helper()
	var f caseFile
	readJSON(t, path, &f)
	return f
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	check(t, err)
	if err := unmarshalNumbers(b, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// bareTokens are the numbers that JSON does not have and both sides write.
var bareTokens = regexp.MustCompile(`-?\b(NaN|Infinity)\b`)

// unmarshalNumbers decodes JSON with its numbers as they are written; those that it
// does not have become strings.
func unmarshalNumbers(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(bareTokens.ReplaceAll(b, []byte(`"$0"`))))
	d.UseNumber()
	return d.Decode(into)
}

// apart is how far an output is from what it should be: 0 if they are the same bit for
// bit, else the largest difference, in units of the last place of the largest number.
// What is no float must be the same.
func apart(got, want any, dtype string) (float64, error) {
	if !strings.Contains(dtype, "float") {
		if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
			return 0, fmt.Errorf("%s, want %s", shortened(g), shortened(w))
		}
		return 0, nil
	}
	var farthest, largest float64
	err := eachPair(got, want, func(g, w string) error {
		x, y, err := parseBoth(g, w, dtype)
		if err != nil || math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y) {
			largest = max(largest, finite(y))
			return err
		}
		if math.IsInf(x, 0) || math.IsInf(y, 0) || math.IsNaN(x) || math.IsNaN(y) {
			return fmt.Errorf("%s, want %s", g, w)
		}
		// Zeros of different signs are apart too.
		largest, farthest = max(largest, math.Abs(y)), max(farthest, math.Abs(x-y), math.SmallestNonzeroFloat64)
		return nil
	})
	if err != nil || farthest == 0 {
		return 0, err
	}
	_, exponent := math.Frexp(max(largest, 0x1p-126))
	return farthest / math.Ldexp(1, exponent-mantissa[dtype]), nil
}

// mantissa is how many binary digits the types of floats have.
var mantissa = map[string]int{"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}

func finite(x float64) float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	return math.Abs(x)
}

// parseBoth reads numbers with the precision of their type; short floats are written
// as a float32 may be.
func parseBoth(got, want, dtype string) (x, y float64, err error) {
	bits := 32
	if dtype == "float64" {
		bits = 64
	}
	if x, err = strconv.ParseFloat(got, bits); err != nil {
		return 0, 0, err
	}
	y, err = strconv.ParseFloat(want, bits)
	return x, y, err
}

// eachPair walks two values of the same form.
func eachPair(got, want any, f func(got, want string) error) error {
	w, list := want.([]any)
	if !list {
		if _, list := got.([]any); list {
			return fmt.Errorf("a list, want %v", want)
		}
		return f(fmt.Sprint(got), fmt.Sprint(want))
	}
	g, list := got.([]any)
	if !list || len(g) != len(w) {
		return fmt.Errorf("%s, want a list of %d", shortened(fmt.Sprint(got)), len(w))
	}
	for i := range w {
		if err := eachPair(g[i], w[i], f); err != nil {
			return err
		}
	}
	return nil
}

func shortened(s string) string { return s[:min(len(s), 200)] }

// exportedCases finds the files of all exports; it is an error if a runtime that is
// installed has none.
func exportedCases(t testing.TB) []string {
	t.Helper()
	root := fromEnv(t, "HEARTH_TEST_EXPORTS")
	var all []string
	for _, runtime := range []string{"2.21", "2.21-keras2", "2.15", "1.15"} {
		files, err := filepath.Glob(filepath.Join(root, runtime, "*", "cases.json"))
		check(t, err)
		if _, err := os.Stat(filepath.Join(fromEnv(t, "HEARTH_TEST_RUNTIMES"), runtime, "runtime.json")); err != nil {
			t.Logf("skipped: exports of runtime %s, which is not installed for the tests", runtime)
		} else if len(files) == 0 {
			t.Errorf("no exports of runtime %s in %s", runtime, root)
		}
		all = append(all, files...)
	}
	return all
}
