package tensor

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

// sig makes a signature named serving_default from inputs that take rows of any
// shape.
func sig(inputs ...Spec) *Signature {
	s := &Signature{Name: DefaultSignature, Inputs: map[string]Spec{}, Outputs: map[string]Spec{}}
	for _, spec := range inputs {
		s.Inputs[spec.Name] = spec
	}
	return s
}

func one(s *Signature) map[string]*Signature { return map[string]*Signature{s.Name: s} }

func inf(sign int) float64 { return math.Inf(sign) }

func anyShape(name string, t DType) Spec { return Spec{Name: name, DType: t, UnknownRank: true} }

// numbers lays out numeric values as a tensor of type t holds them.
func numbers(t DType, values ...float64) []byte {
	var b []byte
	order := binary.NativeEndian
	for _, v := range values {
		switch t {
		case Float32:
			b = order.AppendUint32(b, math.Float32bits(float32(v)))
		case Float64:
			b = order.AppendUint64(b, math.Float64bits(v))
		case Float16:
			b = order.AppendUint16(b, narrow(v, halfExponent, halfMantissa))
		case BFloat16:
			b = order.AppendUint16(b, narrow(v, bfloatExponent, bfloatMantissa))
		case Int64:
			b = order.AppendUint64(b, uint64(int64(v)))
		case Int32:
			b = order.AppendUint32(b, uint32(int32(v)))
		case Uint32:
			b = order.AppendUint32(b, uint32(v))
		case Uint64:
			b = order.AppendUint64(b, uint64(v))
		case Int16, Uint16:
			b = order.AppendUint16(b, uint16(int16(v)))
		case Int8, Uint8, Bool:
			b = append(b, byte(int8(v)))
		default:
			panic(t.String())
		}
	}
	return b
}

func TestDecode_Values(t *testing.T) {
	x := func(t DType) *Signature { return sig(anyShape("x", t)) }
	strs := func(s ...string) (out [][]byte) {
		for _, v := range s {
			out = append(out, []byte(v))
		}
		return out
	}
	for _, test := range []struct {
		name, body string
		sig        *Signature
		want       Tensor
	}{
		{"BareScalars", `{"instances": [1, -2.5 , 3e2]}`, x(Float32), Tensor{Float32, []int64{3}, numbers(Float32, 1, -2.5, 300), nil}},
		{"Named", `{"instances": [{"x": 1}, {"x": 2}]}`, x(Float32), Tensor{Float32, []int64{2}, numbers(Float32, 1, 2), nil}},
		{"Nested", `{"instances": [[[1,2],[3,4],[5,6]]]}`, x(Float32), Tensor{Float32, []int64{1, 3, 2}, numbers(Float32, 1, 2, 3, 4, 5, 6), nil}},
		{"NoSpaces", `{"instances":[[1,2],[3,4]]}`, x(Float32), Tensor{Float32, []int64{2, 2}, numbers(Float32, 1, 2, 3, 4), nil}},
		{"ManySpaces", " {\n\t\"instances\" :\r\n[ [ 1 , 2\n] ,\n[ 3,  4 ]\n]\n}\n ", x(Float32), Tensor{Float32, []int64{2, 2}, numbers(Float32, 1, 2, 3, 4), nil}},
		{"EmptyLists", `{"instances": [[],[]]}`, x(Float32), Tensor{Float32, []int64{2, 0}, nil, nil}},
		{"EmptyInnerLists", `{"instances": [[[],[]]]}`, x(Float32), Tensor{Float32, []int64{1, 2, 0}, nil, nil}},
		{"NotNumbers", `{"instances": [NaN, Infinity, -Infinity, Inf, -Inf, 1e999, -1e999]}`, x(Float32),
			Tensor{Float32, []int64{7}, numbers(Float32, math.NaN(), math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)), nil}},
		{"Double", `{"instances": [0.1, 1, NaN]}`, x(Float64), Tensor{Float64, []int64{3}, numbers(Float64, .1, 1, math.NaN()), nil}},
		{"Half", `{"instances": [1, 65504, 65520, 5.9604644775390625e-8, 0.1, -0.0]}`, x(Float16),
			Tensor{Float16, []int64{6}, numbers(Uint16, 0x3C00, 0x7BFF, 0x7C00, 1, 0x2E66, -0x8000), nil}},
		{"BFloat16", `{"instances": [1, -2, 3.140625, 1e39]}`, x(BFloat16), Tensor{BFloat16, []int64{4}, numbers(Uint16, 0x3F80, -0x4000, 0x4049, 0x7F80), nil}},
		{"Int64", `{"instances": [-9223372036854775808, 7, -0]}`, x(Int64), Tensor{Int64, []int64{3}, numbers(Int64, math.MinInt64, 7, 0), nil}},
		{"Int32", `{"instances": [[-2147483648], [2147483647]]}`, x(Int32), Tensor{Int32, []int64{2, 1}, numbers(Int32, math.MinInt32, math.MaxInt32), nil}},
		{"Int16", `{"instances": [-32768]}`, x(Int16), Tensor{Int16, []int64{1}, numbers(Int16, -32768), nil}},
		{"Int8", `{"instances": [-128, 127]}`, x(Int8), Tensor{Int8, []int64{2}, numbers(Int8, -128, 127), nil}},
		{"Uint64", `{"instances": [18446744073709551615]}`, x(Uint64), Tensor{Uint64, []int64{1}, []byte(strings.Repeat("\xff", 8)), nil}},
		{"Uint32", `{"instances": [4294967295, -0]}`, x(Uint32), Tensor{Uint32, []int64{2}, numbers(Uint32, math.MaxUint32, 0), nil}},
		{"Uint16", `{"instances": [65535]}`, x(Uint16), Tensor{Uint16, []int64{1}, []byte{255, 255}, nil}},
		{"Uint8", `{"instances": [[255, 0]]}`, x(Uint8), Tensor{Uint8, []int64{1, 2}, []byte{255, 0}, nil}},
		{"Bool", `{"instances": [true, false]}`, x(Bool), Tensor{Bool, []int64{2}, []byte{1, 0}, nil}},
		{"String", `{"instances": ["a", "", "ü\n\"\\\/\u00e9\ud83d\ude00\ud800"]}`, x(String), Tensor{String, []int64{3}, nil, strs("a", "", "ü\n\"\\/é😀\ufffd")}},
		{"Base64", `{"instances": [{"b64": "/wA="}, { "b64" : "/wA" }, "t"]}`, x(String), Tensor{String, []int64{3}, nil, strs("\xff\x00", "\xff\x00", "t")}},
		{"Base64Nested", `{"instances": [{"x": [{"b64": "YQ=="}, "b"]}]}`, x(String), Tensor{String, []int64{1, 2}, nil, strs("a", "b")}},
		{"Base64IsAName", `{"instances": [{"b64": 1}]}`, sig(anyShape("b64", Float32)), Tensor{Float32, []int64{1}, numbers(Float32, 1), nil}},
		{"EscapedName", `{"instances": [{"\u0078": 1}]}`, x(Float32), Tensor{Float32, []int64{1}, numbers(Float32, 1), nil}},
		{"SignatureBefore", `{"signature_name": "serving_default", "instances": [1]}`, x(Int8), Tensor{Int8, []int64{1}, []byte{1}, nil}},
		{"SignatureAfter", `{"instances": [1], "signature_name": "serving_default"}`, x(Int8), Tensor{Int8, []int64{1}, []byte{1}, nil}},
		{"SignatureNull", `{"signature_name": null, "instances": [1]}`, x(Int8), Tensor{Int8, []int64{1}, []byte{1}, nil}},
		{"OtherMembers", `{"a": {"instances": [[{"x": "]"}], null]}, "instances": [1], "b": -1.5e3}`, x(Int8), Tensor{Int8, []int64{1}, []byte{1}, nil}},
		{"HTTPBody", `{"httpBody": {"contentType": "application/json", "data": "` + base64.StdEncoding.EncodeToString([]byte(`{"instances": [1]}`)) + `"}}`,
			x(Int8), Tensor{Int8, []int64{1}, []byte{1}, nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decode([]byte(test.body), one(test.sig))
			if err != nil {
				t.Fatal(err)
			}
			if got.Signature != test.sig || got.Instances != int(test.want.Shape[0]) || len(got.Inputs) != 1 {
				t.Errorf("got %d instances of %d inputs", got.Instances, len(got.Inputs))
			}
			for _, tensor := range got.Inputs {
				tensor.Data = append([]byte(nil), tensor.Data...)
				if diff := cmp.Diff(&test.want, tensor); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestDecode_SeveralInputs(t *testing.T) {
	s := sig(anyShape("age", Float32), anyShape("name", String), anyShape("optional", Int64))
	body := `{"instances": [{"name": "a", "age": 1}, {"age": 2, "name": "b"}]}`
	got, err := Decode([]byte(body), one(s))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*Tensor{
		"age":  {Float32, []int64{2}, numbers(Float32, 1, 2), nil},
		"name": {String, []int64{2}, nil, [][]byte{[]byte("a"), []byte("b")}},
	}
	if diff := cmp.Diff(want, got.Inputs); diff != "" {
		t.Error(diff)
	}
}

func TestDecode_ManyInputs(t *testing.T) {
	var specs []Spec
	var members []string
	for c := 'a'; c <= 'z'; c++ {
		specs = append(specs, anyShape(string(c), Int8))
		members = append([]string{`"` + string(c) + `": 1`}, members...)
	}
	row := "{" + strings.Join(members, ",") + "}"
	got, err := Decode([]byte(`{"instances":[`+row+","+row+`]}`), one(sig(specs...)))
	if err != nil || len(got.Inputs) != 26 || got.Instances != 2 {
		t.Fatalf("%d inputs, %d instances, %v", len(got.Inputs), got.Instances, err)
	}
}

func TestDecode_SignatureNamedLate(t *testing.T) {
	other := sig(anyShape("x", String))
	other.Name = "other"
	signatures := map[string]*Signature{DefaultSignature: sig(anyShape("x", Float32)), "other": other}
	// The instances fit the default signature or do not: the named one counts.
	for _, value := range []string{`1`, `"1"`} {
		got, err := Decode([]byte(`{"instances": [`+value+`], "signature_name": "other"}`), signatures)
		if value == `1` {
			if err == nil || !strings.Contains(err.Error(), "expected a string") {
				t.Errorf("a number for a string: %v", err)
			}
			continue
		}
		if err != nil || got.Signature != other {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestDecode_Errors(t *testing.T) {
	float := sig(anyShape("x", Float32))
	image := sig(Spec{Name: "x", DType: Float32, Shape: []int64{-1, 2, 2}})
	two := sig(anyShape("a", Float32), anyShape("b", Float32))
	deep := strings.Repeat("[", 1_000_000)
	for _, test := range []struct {
		name, body string
		sig        *Signature
		want       string
	}{
		{"Empty", ``, float, "the end of the JSON"},
		{"NotAnObject", `[1]`, float, `expected "{"`},
		{"NoInstances", `{}`, float, `the request has no "instances"`},
		{"EmptyInstances", `{"instances": []}`, float, "instances must not be empty"},
		{"InstancesNotAList", `{"instances": {"x": 1}}`, float, "instances must be a list, found an object"},
		{"Truncated", `{"instances": [1, 2`, float, "found the end of the JSON after 19 bytes"},
		{"TruncatedInString", `{"instances": ["ab`, sig(anyShape("x", String)), "the end of the JSON"},
		{"TrailingGarbage", `{"instances": [1]} x`, float, "expected the end of the JSON"},
		{"TrailingComma", `{"instances": [1,]}`, float, "instance 1: input x: expected a number"},
		{"InstancesTwice", `{"instances": [1], "instances": [2]}`, float, "instances is given twice"},
		{"SignatureTwice", `{"signature_name": "a", "signature_name": "a", "instances": [2]}`, float, "signature_name is given twice"},
		{"SignatureNotAString", `{"signature_name": 1, "instances": [2]}`, float, "signature_name must be a string"},
		{"NoSuchSignature", `{"signature_name": "s", "instances": [1]}`, float, "Invalid inputs: No signature found for signature key s."},
		{"WrongName", `{"instances": [{"x": 1}, {"y": 1, "z": [2]}]}`, float, "Invalid inputs: Expected tensor name: x, got tensor name: ['y', 'z']. (Error code: 1)"},
		{"NoName", `{"instances": [{}]}`, float, "Expected tensor name: x, got tensor name: []."},
		{"UnexpectedName", `{"instances": [{"a": 1, "b": 1, "k": 1}]}`, two, "Invalid inputs: Unexpected tensor name: k (Error code: 1)"},
		{"Missing", `{"instances": [{"a": 1, "b": 1}, {"a": 1}]}`, two, "Input b was missing in at least one input instance."},
		{"MissingFirst", `{"instances": [{"a": 1}, {"a": 1, "b": 1}]}`, two, "Input b was missing in at least one input instance."},
		{"BareForSeveral", `{"instances": [1]}`, two, "instance 0: expected an object with the inputs a, b, found \"1\""},
		{"NameTwice", `{"instances": [{"x": 1, "x": 2}]}`, float, "instance 0: input x is given twice"},
		{"Shape", `{"instances": [[[1,2],[3,4]], [[1,2]]]}`, image, "instance 1: input x: lists of different length"},
		{"StaticShape", `{"instances": [[1,2]]}`, image, "instance 0: input x: the value has the shape [2], the model takes [2, 2]"},
		{"StaticShapeOfLists", `{"instances": [[[1,2],[3,4],[5,6]]]}`, image, "the value has the shape [3, 2], the model takes [2, 2]"},
		{"StaticBatch", `{"instances": [1]}`, sig(Spec{Name: "x", DType: Float32, Shape: []int64{2}}), "the model takes exactly 2 instances in input x, the request has 1"},
		{"ScalarInput", `{"instances": [1]}`, sig(Spec{Name: "x", DType: Float32}), "a single value for all instances"},
		{"Ragged", `{"instances": [[1,2],[3]]}`, float, "instance 1: input x: lists of different length: 1 elements"},
		{"Depth", `{"instances": [1,[3]]}`, float, "instance 1: input x: lists of different depth: 1 here, 0 before"},
		{"DepthOfEmptyList", `{"instances": [[[1],[[]]]]}`, float, "lists of different depth"},
		{"DepthOfEmptyInstance", `{"instances": [1,[]]}`, float, "lists of different depth"},
		{"ListsAndNumbers", `{"instances": [[[1],2]]}`, float, "instance 0: input x: expected a list, found \"2\""},
		{"NumbersAndLists", `{"instances": [[1,[2]]]}`, float, "expected a number for DT_FLOAT, found a list"},
		{"Deep", `{"instances": ` + deep, float, "nested more than 1000 deep"},
		{"DeepInstance", `{"instances": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, float, "nested more than 64 deep"},
		{"DeepIgnored", `{"a": ` + deep, float, "nested more than 1000 deep"},
		{"DeepSignature", deep, float, `expected "{"`},
		{"StringForFloat", `{"instances": ["1"]}`, float, "expected a number for DT_FLOAT, found a string"},
		{"NullForFloat", `{"instances": [null]}`, float, `found "null"`},
		{"FloatForInt", `{"instances": [1.0]}`, sig(anyShape("x", Int32)), "expected an integer for DT_INT32, found \"1.0\""},
		{"ExponentForInt", `{"instances": [1e3]}`, sig(anyShape("x", Int64)), "expected an integer"},
		{"BoolForInt", `{"instances": [true]}`, sig(anyShape("x", Int32)), "expected an integer"},
		{"IntForBool", `{"instances": [1]}`, sig(anyShape("x", Bool)), "expected true or false"},
		{"NumberForString", `{"instances": [1]}`, sig(anyShape("x", String)), "expected a string"},
		{"ObjectForString", `{"instances": [{"x": {"c": "YQ=="}}]}`, sig(anyShape("x", String)), "expected a string"},
		{"RangeInt8", `{"instances": [128]}`, sig(anyShape("x", Int8)), "128 is out of the range of DT_INT8"},
		{"RangeUint8", `{"instances": [-1]}`, sig(anyShape("x", Uint8)), "out of the range"},
		{"RangeInt64", `{"instances": [9223372036854775808]}`, sig(anyShape("x", Int64)), "out of the range"},
		{"BadBase64", `{"instances": [{"b64": "a!"}]}`, sig(anyShape("x", String)), "b64 string at byte 23"},
		{"Base64AndMore", `{"instances": [{"b64": "YQ==", "c": 1}]}`, sig(anyShape("x", String)), "must hold nothing else"},
		{"Base64Number", `{"instances": [{"x": {"b64": 1}}]}`, sig(anyShape("x", String)), "b64 must be a string"},
		{"BadEscape", `{"instances": ["\x"]}`, sig(anyShape("x", String)), "escape"},
		{"ControlCharacter", "{\"instances\": [\"\n\"]}", sig(anyShape("x", String)), "control character"},
		{"NotUTF8", "{\"instances\": [\"\xff\"]}", sig(anyShape("x", String)), "not UTF-8"},
		{"LeadingZero", `{"instances": [01]}`, float, "expected a number"},
		{"NoFraction", `{"instances": [1.]}`, float, "expected a number"},
		{"NoInteger", `{"instances": [.5]}`, float, "expected a number"},
		{"NoExponent", `{"instances": [1e]}`, float, "expected a number"},
		{"Plus", `{"instances": [+1]}`, float, "expected a number"},
		{"Word", `{"instances": [12x]}`, float, "expected ',' or"},
		{"Complex", `{"instances": [1]}`, sig(anyShape("x", Complex64)), "DT_COMPLEX64, which JSON cannot carry"},
		{"HTTPBodyBadBase64", `{"httpBody": {"data": "!"}}`, float, "httpBody.data"},
		{"HTTPBodyBadJSON", `{"httpBody": {"data": "YQ=="}}`, float, "inside httpBody"},
		{"HTTPBodyEmpty", `{"httpBody": {}}`, float, `no "instances"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Decode([]byte(test.body), one(test.sig))
			if err == nil {
				t.Fatal("no error")
			}
			if ml.KindOf(err) != ml.InvalidArgument {
				t.Errorf("kind %v", ml.KindOf(err))
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
		})
	}
}

// What an error repeats of a request is bounded.
func TestDecode_LongNames(t *testing.T) {
	long := strings.Repeat("é", 1_000_000)
	for _, body := range []string{
		`{"instances": [{"` + long + `": 1}]}`,
		`{"instances": [{` + strings.Repeat(`"k": 1, `, 1_000_000) + `"k": 1}]}`,
		`{"instances": [1], "signature_name": "` + long + `"}`,
		`{"instances": [` + strings.Repeat("1", 1_000_000) + `]}`,
		`{"instances": [tru` + strings.Repeat("e", 1_000_000) + `]}`,
	} {
		_, err := Decode([]byte(body), one(sig(anyShape("x", Int64))))
		if err == nil || len(err.Error()) > 500 {
			t.Errorf("%.40s: an error of %d bytes", body, len(err.Error()))
		}
	}
}

func TestSelect(t *testing.T) {
	a, b := &Signature{Name: "a"}, &Signature{Name: "b"}
	def := &Signature{Name: DefaultSignature}
	for _, test := range []struct {
		name  string
		sigs  map[string]*Signature
		ask   string
		want  *Signature
		error string
	}{
		{"OnlyOne", map[string]*Signature{"a": a}, "", a, ""},
		{"Default", map[string]*Signature{"a": a, DefaultSignature: def}, "", def, ""},
		{"NoDefault", map[string]*Signature{"a": a, "b": b}, "", nil, "No signature found for signature key serving_default."},
		{"Named", map[string]*Signature{"a": a, "b": b}, "b", b, ""},
		{"NamedMissing", map[string]*Signature{"a": a}, "b", nil, "No signature found for signature key b."},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Select(test.sigs, test.ask)
			if got != test.want || (err != nil) != (test.error != "") || err != nil && !strings.Contains(err.Error(), test.error) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// A signature whose rows are fixed for inputs and outputs alike takes any number.
func TestDecode_FixedBatch(t *testing.T) {
	s := sig(Spec{Name: "x", DType: Float32, Shape: []int64{2}})
	s.Outputs["y"] = Spec{Name: "y", DType: Float32, Shape: []int64{2, 5}}
	r, err := Decode([]byte(`{"instances": [1, 2, 3]}`), one(s))
	if err != nil || s.FixedBatch() != 2 || r.Inputs["x"].Shape[0] != 3 {
		t.Errorf("batches of %d: %+v, %v", s.FixedBatch(), r, err)
	}
	s = sig(Spec{Name: "x", DType: Float32, Shape: []int64{2}})
	s.Outputs["y"] = Spec{Name: "y", DType: Float32, Shape: []int64{-1}}
	if _, err := Decode([]byte(`{"instances": [1, 2, 3]}`), one(s)); err == nil || s.FixedBatch() != 0 {
		t.Errorf("an output of any number of rows: batches of %d, %v", s.FixedBatch(), err)
	}
}
