package tensor

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"hearth/ml"
)

func outputs(names ...string) *Signature {
	s := &Signature{Name: DefaultSignature, Outputs: map[string]Spec{}}
	for _, n := range names {
		s.Outputs[n] = Spec{Name: n}
	}
	return s
}

func TestAppendPredictions(t *testing.T) {
	inf := math.Inf(1)
	float := func(shape []int64, values ...float64) *Tensor {
		return &Tensor{Float32, shape, numbers(Float32, values...), nil}
	}
	text := func(values ...string) *Tensor {
		x := &Tensor{DType: String, Shape: []int64{int64(len(values))}}
		for _, v := range values {
			x.Strings = append(x.Strings, []byte(v))
		}
		return x
	}
	for _, test := range []struct {
		name    string
		aliases []string
		tensors []*Tensor
		want    string
	}{
		{"OneOutput", []string{"y"}, []*Tensor{float([]int64{2}, 1, 2.5)}, `[{"y": 1.0}, {"y": 2.5}]`},
		{"SortedAliases", []string{"b", "a"}, []*Tensor{float([]int64{1}, 1), float([]int64{1}, 2)}, `[{"a": 1.0, "b": 2.0}]`},
		{"Nested", []string{"y"}, []*Tensor{float([]int64{2, 2, 1}, 1, 2, 3, 4)}, `[{"y": [[1.0], [2.0]]}, {"y": [[3.0], [4.0]]}]`},
		{"EmptyRows", []string{"y"}, []*Tensor{float([]int64{2, 0})}, `[{"y": []}, {"y": []}]`},
		{"EmptyInnerRows", []string{"y"}, []*Tensor{float([]int64{1, 2, 0})}, `[{"y": [[], []]}]`},
		{"NoRows", []string{"y"}, []*Tensor{float([]int64{0, 3})}, `[]`},
		{"Scalar", []string{"y"}, []*Tensor{float(nil, 7)}, `[{"y": 7.0}]`},
		{"ScalarAndOneRow", []string{"a", "b"}, []*Tensor{float(nil, 7), float([]int64{1, 1}, 8)}, `[{"a": 7.0, "b": [8.0]}]`},
		{"NotNumbers", []string{"y"}, []*Tensor{float([]int64{3}, math.NaN(), inf, -inf)}, `[{"y": NaN}, {"y": Infinity}, {"y": -Infinity}]`},
		{"Float32Shortest", []string{"y"}, []*Tensor{float([]int64{1, 4}, 0.1, 1e-7, 3.4028235e38, 16777216)}, `[{"y": [0.1, 1e-07, 3.4028235e+38, 1.6777216e+07]}]`},
		{"Double", []string{"y"}, []*Tensor{{Float64, []int64{1}, numbers(Float64, 0.1), nil}}, `[{"y": 0.1}]`},
		{"Half", []string{"y"}, []*Tensor{{Float16, []int64{1, 2}, numbers(Uint16, 0x3C00, 0xFBFF), nil}}, `[{"y": [1.0, -65504.0]}]`},
		{"BFloat16", []string{"y"}, []*Tensor{{BFloat16, []int64{1, 2}, numbers(Uint16, 0x3F80, 0x4049), nil}}, `[{"y": [1.0, 3.140625]}]`},
		{"Int64", []string{"y"}, []*Tensor{{Int64, []int64{1}, numbers(Int64, math.MinInt64), nil}}, `[{"y": -9223372036854775808}]`},
		{"Int32", []string{"y"}, []*Tensor{{Int32, []int64{1}, numbers(Int32, -5), nil}}, `[{"y": -5}]`},
		{"Int16", []string{"y"}, []*Tensor{{Int16, []int64{1}, numbers(Int16, -5), nil}}, `[{"y": -5}]`},
		{"Int8", []string{"y"}, []*Tensor{{Int8, []int64{1}, []byte{0xFF}, nil}}, `[{"y": -1}]`},
		{"Uint8", []string{"y"}, []*Tensor{{Uint8, []int64{1}, []byte{0xFF}, nil}}, `[{"y": 255}]`},
		{"Uint16", []string{"y"}, []*Tensor{{Uint16, []int64{1}, []byte{0xFF, 0xFF}, nil}}, `[{"y": 65535}]`},
		{"Uint32", []string{"y"}, []*Tensor{{Uint32, []int64{1}, numbers(Uint32, math.MaxUint32), nil}}, `[{"y": 4294967295}]`},
		{"Uint64", []string{"y"}, []*Tensor{{Uint64, []int64{1}, []byte(strings.Repeat("\xFF", 8)), nil}}, `[{"y": 18446744073709551615}]`},
		{"Bool", []string{"y"}, []*Tensor{{Bool, []int64{1, 2}, []byte{1, 0}, nil}}, `[{"y": [true, false]}]`},
		{"Text", []string{"y"}, []*Tensor{text("a\"\\\n\t\r\x01ü\u2028")}, `[{"y": "a\"\\\n\t\r\u0001ü` + "\u2028" + `"}]`},
		{"TextNotUTF8", []string{"y"}, []*Tensor{text("\xff")}, `[{"y": {"b64": "/w=="}}]`},
		{"Bytes", []string{"y_bytes"}, []*Tensor{text("a")}, `[{"y_bytes": {"b64": "YQ=="}}]`},
		{"OddAlias", []string{"a\"b"}, []*Tensor{float([]int64{1}, 0)}, `[{"a\"b": 0.0}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := AppendPredictions(nil, outputs(test.aliases...), test.tensors)
			if want := `{"predictions": ` + test.want + `}`; err != nil || string(got) != want {
				t.Errorf("got  %s, %v\nwant %s", got, err, want)
			}
			if test.name != "NotNumbers" && !json.Valid(got) {
				t.Error("not JSON")
			}
		})
	}
}

func TestAppendPredictions_Errors(t *testing.T) {
	two := &Tensor{Float32, []int64{2}, numbers(Float32, 1, 2), nil}
	three := &Tensor{Float32, []int64{3}, numbers(Float32, 1, 2, 3), nil}
	for _, test := range []struct {
		name    string
		tensors []*Tensor
		kind    ml.Kind
		want    string
	}{
		{"DifferentRows", []*Tensor{two, three}, ml.InvalidArgument,
			"Bad output from running tensorflow session: outputs had differing sizes in the batch (outermost) dimension. a has 2, b has 3. (Error code: 3)"},
		{"ScalarAndRows", []*Tensor{{Float32, nil, numbers(Float32, 1), nil}, two}, ml.InvalidArgument, "a has 1, b has 2"},
		{"Complex", []*Tensor{two, {Complex64, []int64{2}, make([]byte, 16), nil}}, ml.InvalidArgument, "output b has the type DT_COMPLEX64"},
		{"TooFew", []*Tensor{two}, ml.Internal, "has 2 outputs, the run gave 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := AppendPredictions(nil, outputs("a", "b"), test.tensors)
			if ml.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
