package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func (m peersModel) folder(b *testing.B) string {
	return filepath.Join(fromEnv(b, "HEARTH_TEST_MODELS"), m.name)
}

// requestV2 gives the request of one instance in the open inference protocol. With columns, an
// instance that is a single number has a dimension of its own.
func (m peersModel) requestV2(b *testing.B, columns bool) []byte {
	var v1 struct{ Instances any }
	check(b, json.Unmarshal(requestOf(b, m.name), &v1))
	var shape []int
	for v := v1.Instances; ; {
		list, ok := v.([]any)
		if !ok {
			break
		}
		shape, v = append(shape, len(list)), list[0]
	}
	if columns && len(shape) == 1 {
		shape = append(shape, 1)
	}
	input := map[string]any{"name": m.input, "shape": shape, "datatype": "FP32", "data": flatten(nil, v1.Instances)}
	text, err := json.Marshal(map[string]any{"inputs": []any{input}})
	check(b, err)
	return text
}

// flatten appends the values of nested lists.
func flatten(to []any, v any) []any {
	list, ok := v.([]any)
	if !ok {
		return append(to, v)
	}
	for _, e := range list {
		to = flatten(to, e)
	}
	return to
}

var errWrongAnswer = errors.New("wrong answer")

// verify asks the server once and compares its answer, in either protocol.
func (m peersModel) verify(b *testing.B, t target) error {
	text, err := os.ReadFile(filepath.Join(m.folder(b), "expected_b1.json"))
	check(b, err)
	want, err := answeredOutputs(text)
	check(b, err)
	text, err = t.ask()
	if err != nil {
		return err
	}
	got, err := answeredOutputs(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errWrongAnswer, err)
	}
	if difference := near(got, want); difference != "" {
		return fmt.Errorf("%w: %.200s", errWrongAnswer, difference)
	}
	return nil
}

// answeredOutputs gives the flattened values of each output.
func answeredOutputs(text []byte) (map[string]any, error) {
	var answer struct {
		Predictions []map[string]any
		Outputs     []struct {
			Name string
			Data any
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	outputs := map[string]any{}
	for _, row := range answer.Predictions {
		for name, v := range row {
			before, _ := outputs[name].([]any)
			outputs[name] = flatten(before, v)
		}
	}
	for _, o := range answer.Outputs {
		outputs[o.Name] = flatten(nil, o.Data)
	}
	return outputs, nil
}

// near says where flattened outputs differ by more than what another order of
// summing makes of float32.
func near(got, want map[string]any) string {
	for name, w := range want {
		a, _ := got[name].([]any)
		b, _ := w.([]any)
		if len(a) != len(b) {
			return fmt.Sprintf("%s: %d values, want %d", name, len(a), len(b))
		}
		for i := range b {
			x, ok := a[i].(float64)
			y, _ := b[i].(float64)
			if !ok || math.Abs(x-y) > 1e-5*(1+math.Abs(y)) {
				return fmt.Sprintf("%s: %v, want %v", name, a[i], b[i])
			}
		}
	}
	return ""
}
