package tensor

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

func TestDecodeTFServing(t *testing.T) {
	float, two := sig(anyShape("x", Float32)), sig(anyShape("a", Float32), anyShape("b", Int64))
	scalar := sig(Spec{Name: "k", DType: Int32}, Spec{Name: "x", DType: Float32, Shape: []int64{-1}})
	text := sig(anyShape("s", String))
	f := func(shape []int64, v ...float64) *Tensor { return &Tensor{Float32, shape, numbers(Float32, v...), nil} }
	for _, test := range []struct {
		name, body string
		sig        *Signature
		instances  int
		want       map[string]*Tensor
	}{
		{"Rows", `{"instances": [[1], [2]]}`, float, 2, map[string]*Tensor{"x": f([]int64{2, 1}, 1, 2)}},
		{"NamedRows", `{"instances": [{"x": 1}]}`, float, 1, map[string]*Tensor{"x": f([]int64{1}, 1)}},
		{"RowsOfSeveral", `{"instances": [{"b": 3, "a": 1}]}`, two, 1, map[string]*Tensor{
			"a": f([]int64{1}, 1), "b": {Int64, []int64{1}, numbers(Int64, 3), nil}}},
		{"UnknownMembers", `{"colour": {"red": [1]}, "instances": [1]}`, float, 1, map[string]*Tensor{"x": f([]int64{1}, 1)}},
		{"BytesBehind", `{"instances": [1]} and more }`, float, 1, map[string]*Tensor{"x": f([]int64{1}, 1)}},
		{"SignatureBehind", `{"instances": [1], "signature_name": "serving_default"}`, float, 1, map[string]*Tensor{"x": f([]int64{1}, 1)}},
		{"NotNumbers", `{"instances": [Inf, -Infinity, 1e400]}`, float, 3, map[string]*Tensor{"x": f([]int64{3}, inf(1), inf(-1), inf(1))}},
		{"Columns", `{"inputs": {"a": [1, 2], "b": [[3]]}}`, two, 0, map[string]*Tensor{
			"a": f([]int64{2}, 1, 2), "b": {Int64, []int64{1, 1}, numbers(Int64, 3), nil}}},
		{"ColumnsWithScalar", `{"inputs": {"x": [1], "k": 7}}`, scalar, 0, map[string]*Tensor{
			"x": f([]int64{1}, 1), "k": {Int32, nil, numbers(Int32, 7), nil}}},
		{"OneColumn", `{"inputs": [[1], [2]]}`, float, 0, map[string]*Tensor{"x": f([]int64{2, 1}, 1, 2)}},
		{"OneColumnNamed", `{"inputs": {"x": 5}}`, float, 0, map[string]*Tensor{"x": f(nil, 5)}},
		{"EmptyColumn", `{"inputs": []}`, float, 0, map[string]*Tensor{"x": f([]int64{0})}},
		{"OtherColumns", `{"inputs": {"y": [[null]], "x": 5}}`, float, 0, map[string]*Tensor{"x": f(nil, 5)}},
		{"Base64Column", `{"inputs": {"b64": "YQ"}}`, text, 0, map[string]*Tensor{"s": {String, nil, nil, [][]byte{[]byte("a")}}}},
		{"Base64Rows", `{"instances": [{"s": {"b64": "YQ=="}}, "b"]}`, text, 2, map[string]*Tensor{"s": {String, []int64{2}, nil, [][]byte{[]byte("a"), []byte("b")}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := DecodeTFServing([]byte(test.body), one(test.sig))
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range got.Inputs {
				x.Data, x.Shape = append([]byte(nil), x.Data...), append([]int64(nil), x.Shape...)
			}
			if diff := cmp.Diff(test.want, got.Inputs); diff != "" || got.Instances != test.instances {
				t.Errorf("%d instances; %s", got.Instances, diff)
			}
		})
	}
}

func TestDecodeTFServing_Errors(t *testing.T) {
	float, two := sig(anyShape("x", Float32)), sig(anyShape("a", Float32), anyShape("b", Float32))
	for _, test := range []struct {
		name, body string
		sig        *Signature
		want       string
	}{
		{"Both", `{"instances": [1], "inputs": [1]}`, float, `both "instances" and "inputs"`},
		{"BothTheOtherWay", `{"inputs": [1], "instances": [1]}`, float, `both "instances" and "inputs"`},
		{"Neither", `{"signature_name": "serving_default"}`, float, "neither"},
		{"NoRows", `{"instances": []}`, float, "instances must not be empty"},
		{"NotJSON", `instances`, float, "JSON Parse error"},
		{"MissingInRow", `{"instances": [{"a": 1}]}`, two, "Input b was missing in at least one input instance."},
		{"MissingInAllRows", `{"instances": [{"a": 1}, {"a": 1}]}`, two, "Input b was missing"},
		{"ExtraInRow", `{"instances": [{"a": 1, "b": 1, "c": 1}]}`, two, "Unexpected tensor name: c"},
		{"BareRowOfSeveral", `{"instances": [1]}`, two, "expected an object"},
		{"OtherShape", `{"instances": [[1], [1, 2]]}`, float, "instance 1: input x: lists of different length"},
		{"MissingColumn", `{"inputs": {"a": 1}}`, two, "input b is missing in inputs"},
		{"BareColumnOfSeveral", `{"inputs": [1]}`, two, "inputs must be an object"},
		{"ColumnType", `{"inputs": {"x": "a"}}`, float, "input x: expected a number for DT_FLOAT"},
		{"ColumnShape", `{"inputs": [1, 2]}`, sig(Spec{Name: "x", DType: Float32, Shape: []int64{3}}), "the value has the shape [2], the model takes [3]"},
		{"ColumnOfComplex", `{"inputs": [1]}`, sig(anyShape("x", Complex64)), "which JSON cannot carry"},
		{"FloatForInt", `{"instances": [1.0]}`, sig(anyShape("x", Int32)), "expected an integer"},
		{"Null", `{"instances": [null]}`, float, "expected a number"},
		{"Base64ForFloat", `{"instances": [{"b64": "YQ=="}]}`, float, "Expected tensor name: x"},
		{"NoSuchSignature", `{"signature_name": "s", "instances": [1]}`, float, `Serving signature key "s" was not found`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := DecodeTFServing([]byte(test.body), one(test.sig))
			if ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "Error code") {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// The only signature is not taken for the default one, as AI Platform would.
func TestDecodeTFServing_DefaultSignature(t *testing.T) {
	other := sig(anyShape("x", Float32))
	other.Name = "other"
	body := `{"instances": [1]}`
	if _, err := DecodeTFServing([]byte(body), one(other)); err == nil || !strings.Contains(err.Error(), "The model has: other.") {
		t.Errorf("TensorFlow Serving's: %v", err)
	}
	if _, err := Decode([]byte(body), one(other)); err != nil {
		t.Errorf("AI Platform's: %v", err)
	}
}

func TestAppendTFServing(t *testing.T) {
	rows := &Tensor{Float32, []int64{2, 1}, numbers(Float32, 1, 2), nil}
	more := &Tensor{Float32, []int64{3}, numbers(Float32, 1, 2, 3), nil}
	scalar := &Tensor{Int64, nil, numbers(Int64, 7), nil}
	text := &Tensor{DType: String, Shape: []int64{2}, Strings: [][]byte{[]byte("a"), []byte("b")}}
	complex := &Tensor{Complex64, []int64{2}, make([]byte, 16), nil}
	for _, test := range []struct {
		name, aliases string
		instances     int
		tensors       []*Tensor
		want, problem string
	}{
		{"OneOutput", "y", 2, []*Tensor{rows}, `{"predictions": [[1.0], [2.0]]}`, ""},
		{"Several", "y z_bytes", 2, []*Tensor{rows, text}, `{"predictions": [{"y": [1.0], "z_bytes": {"b64": "YQ=="}}, {"y": [2.0], "z_bytes": {"b64": "Yg=="}}]}`, ""},
		{"OtherBatch", "y", 5, []*Tensor{more}, `{"predictions": [1.0, 2.0, 3.0]}`, ""},
		{"Whole", "y", 0, []*Tensor{rows}, `{"outputs": [[1.0], [2.0]]}`, ""},
		{"WholeScalar", "y", 0, []*Tensor{scalar}, `{"outputs": 7}`, ""},
		{"WholeSeveral", "y z", 0, []*Tensor{rows, scalar}, `{"outputs": {"y": [[1.0], [2.0]], "z": 7}}`, ""},
		{"WholeOfDifferentRows", "y z", 0, []*Tensor{rows, more}, `{"outputs": {"y": [[1.0], [2.0]], "z": [1.0, 2.0, 3.0]}}`, ""},
		{"RowsOfAScalar", "y z", 1, []*Tensor{rows, scalar}, "", "Tensor name: z has no shape information"},
		{"DifferentRows", "y z", 1, []*Tensor{rows, more}, "", "Tensor name: z has inconsistent batch size: 3 expecting 2"},
		{"Complex", "y", 1, []*Tensor{complex}, "", "which JSON cannot carry"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := AppendTFServing(nil, Request{Signature: outputs(strings.Fields(test.aliases)...), Instances: test.instances}, test.tensors)
			if test.problem != "" {
				if ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("got  %v\nwant %s", err, test.problem)
				}
				return
			}
			if err != nil || string(got) != test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

func TestAppendSignatures(t *testing.T) {
	s := &Signature{Name: "serving_default", Method: "tensorflow/serving/predict",
		Inputs:  map[string]Spec{"x": {Name: "x", Tensor: "x:0", DType: Float32, Shape: []int64{-1, 2}}},
		Outputs: map[string]Spec{"y": {Name: "y", Tensor: "y:0", DType: String, UnknownRank: true}}}
	got := AppendSignatures(nil, map[string]*Signature{s.Name: s, "other": {Name: "other"}})
	const want = `{"signature_def": {"other": {"inputs": {}, "outputs": {}, "method_name": ""}, "serving_default": {` +
		`"inputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}], "unknown_rank": false}, "name": "x:0"}}, ` +
		`"outputs": {"y": {"dtype": "DT_STRING", "tensor_shape": {"dim": [], "unknown_rank": true}, "name": "y:0"}}, "method_name": "tensorflow/serving/predict"}}}`
	if string(got) != want || !json.Valid(got) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
