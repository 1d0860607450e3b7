package tensor

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pbtensor "github.com/tensorflow/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	pbshape "github.com/tensorflow/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	pbtypes "github.com/tensorflow/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"hearth/ml"
)

// request encodes a PredictRequest for a signature, its tensors by the generated
// code.
func request(t testing.TB, signature string, inputs map[string]*pbtensor.TensorProto, filter ...string) []byte {
	t.Helper()
	var body []byte
	for name, in := range inputs {
		b, err := proto.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = appendProtoEntry(body, requestInputs, name, b)
	}
	for _, name := range filter {
		body = appendStringField(body, requestFilter, name)
	}
	// Last, so that the inputs have to wait for it.
	return appendBytesField(body, requestSpec, appendStringField(nil, specSignature, signature))
}

func only(in *pbtensor.TensorProto) map[string]*pbtensor.TensorProto {
	return map[string]*pbtensor.TensorProto{"x": in}
}

func protoShapeOf(dims ...int64) *pbshape.TensorShapeProto {
	s := &pbshape.TensorShapeProto{}
	for _, d := range dims {
		s.Dim = append(s.Dim, &pbshape.TensorShapeProto_Dim{Size: d})
	}
	return s
}

// Each type, in the field that TensorFlow has for it: as many values as elements,
// one for all, some of them, none.
func TestDecodeProto_Values(t *testing.T) {
	two := protoShapeOf(2)
	for name, tc := range map[string]struct {
		dtype DType
		in    *pbtensor.TensorProto
		want  []float64
	}{
		"float":           {Float32, &pbtensor.TensorProto{FloatVal: []float32{1.5, -2}, TensorShape: two}, []float64{1.5, -2}},
		"float, one":      {Float32, &pbtensor.TensorProto{FloatVal: []float32{1.5}, TensorShape: protoShapeOf(2, 2)}, []float64{1.5, 1.5, 1.5, 1.5}},
		"float, some":     {Float32, &pbtensor.TensorProto{FloatVal: []float32{1, 2, 3}, TensorShape: protoShapeOf(7)}, []float64{1, 2, 3, 3, 3, 3, 3}},
		"float, none":     {Float32, &pbtensor.TensorProto{TensorShape: two}, []float64{0, 0}},
		"double":          {Float64, &pbtensor.TensorProto{DoubleVal: []float64{math.Pi, 1}, TensorShape: two}, []float64{math.Pi, 1}},
		"int32":           {Int32, &pbtensor.TensorProto{IntVal: []int32{-7, math.MinInt32}, TensorShape: two}, []float64{-7, math.MinInt32}},
		"int16":           {Int16, &pbtensor.TensorProto{IntVal: []int32{-7, math.MaxInt16}, TensorShape: two}, []float64{-7, math.MaxInt16}},
		"int8":            {Int8, &pbtensor.TensorProto{IntVal: []int32{-128, 127}, TensorShape: two}, []float64{-128, 127}},
		"uint8":           {Uint8, &pbtensor.TensorProto{IntVal: []int32{255, 0}, TensorShape: two}, []float64{255, 0}},
		"uint16":          {Uint16, &pbtensor.TensorProto{IntVal: []int32{65535}, TensorShape: two}, []float64{65535, 65535}},
		"int64":           {Int64, &pbtensor.TensorProto{Int64Val: []int64{-1 << 40, 5}, TensorShape: two}, []float64{-1 << 40, 5}},
		"uint32":          {Uint32, &pbtensor.TensorProto{Uint32Val: []uint32{math.MaxUint32, 1}, TensorShape: two}, []float64{math.MaxUint32, 1}},
		"uint64":          {Uint64, &pbtensor.TensorProto{Uint64Val: []uint64{1 << 60, 1}, TensorShape: two}, []float64{1 << 60, 1}},
		"bool":            {Bool, &pbtensor.TensorProto{BoolVal: []bool{true, false}, TensorShape: two}, []float64{1, 0}},
		"half":            {Float16, &pbtensor.TensorProto{HalfVal: []int32{0x3c00, 0xc000}, TensorShape: two}, []float64{1, -2}},
		"bfloat16":        {BFloat16, &pbtensor.TensorProto{HalfVal: []int32{0x3f80, 0xc000}, TensorShape: two}, []float64{1, -2}},
		"scalar":          {Float32, &pbtensor.TensorProto{FloatVal: []float32{3}}, []float64{3}},
		"no elements":     {Float32, &pbtensor.TensorProto{TensorShape: protoShapeOf(0, 3)}, nil},
		"content":         {Float32, &pbtensor.TensorProto{TensorContent: numbers(Float32, 1, 2), TensorShape: two}, []float64{1, 2}},
		"content of bool": {Bool, &pbtensor.TensorProto{TensorContent: []byte{1, 0}, TensorShape: two}, []float64{1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.in.Dtype = pbtypes.DataType(tc.dtype)
			got, err := DecodeProto(request(t, "", only(tc.in)), one(sig(Spec{Name: "x", DType: tc.dtype, UnknownRank: true})))
			if err != nil {
				t.Fatal(err)
			}
			x := got.Inputs["x"]
			var shape []int64
			for _, d := range tc.in.GetTensorShape().GetDim() {
				shape = append(shape, d.GetSize())
			}
			if diff := cmp.Diff(shape, x.Shape); diff != "" || x.DType != tc.dtype {
				t.Errorf("%s %s", x.DType, diff)
			}
			if !bytes.Equal(x.Data, numbers(tc.dtype, tc.want...)) {
				t.Errorf("got % x, want %v", x.Data, tc.want)
			}
		})
	}
}

// Old writers do not pack repeated numbers, and fields may come in any order.
func TestDecodeProto_Unpacked(t *testing.T) {
	for name, tc := range map[string]struct {
		dtype DType
		field []byte
		want  []byte
	}{
		"float":  {Float32, protowire.AppendFixed32(protowire.AppendTag(nil, 5, protowire.Fixed32Type), math.Float32bits(2)), numbers(Float32, 2, 2)},
		"double": {Float64, protowire.AppendFixed64(protowire.AppendTag(nil, 6, protowire.Fixed64Type), math.Float64bits(2)), numbers(Float64, 2, 2)},
		"int64":  {Int64, appendVarintField(nil, 10, 2), numbers(Int64, 2, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			in := bytes.Repeat(tc.field, 2)
			in = append(in, appendBytesField(nil, protoShape, appendDims(nil, []int64{2}))...)
			in = appendVarintField(in, protoDType, uint64(tc.dtype))
			got, err := DecodeProto(appendProtoEntry(nil, requestInputs, "x", in), one(sig(Spec{Name: "x", DType: tc.dtype, Shape: []int64{-1}})))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Inputs["x"].Data, tc.want) {
				t.Errorf("got % x", got.Inputs["x"].Data)
			}
		})
	}
}

func TestDecodeProto_Strings(t *testing.T) {
	in := &pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_STRING, TensorShape: protoShapeOf(3), StringVal: [][]byte{[]byte("a\xff"), []byte("b")}}
	got, err := DecodeProto(request(t, "", only(in)), one(sig(anyShape("x", String))))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]byte{[]byte("a\xff"), []byte("b"), []byte("b")}, got.Inputs["x"].Strings); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeProto_Refuses(t *testing.T) {
	floats := func(change func(*pbtensor.TensorProto)) []byte {
		in := &pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_FLOAT, TensorShape: protoShapeOf(2), FloatVal: []float32{1, 2}}
		change(in)
		return request(t, "", only(in))
	}
	valid := floats(func(*pbtensor.TensorProto) {})
	signatures := one(sig(Spec{Name: "x", DType: Float32, Shape: []int64{-1}}))
	signatures[DefaultSignature].Outputs["y"] = Spec{Name: "y"}
	if _, err := DecodeProto(valid, signatures); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		body []byte
		want string
	}{
		"cut off":         {valid[:len(valid)-3], "no PredictRequest"},
		"not a message":   {[]byte(`{"instances": [1]}`), "no PredictRequest"},
		"no input":        {nil, "input x is missing in inputs"},
		"unknown input":   {appendProtoEntry(bytes.Clone(valid), requestInputs, "z", nil), `no input "z"; it has: x`},
		"signature":       {request(t, "other", nil), `"other" was not found`},
		"unknown output":  {append(bytes.Clone(valid), appendStringField(nil, requestFilter, "q")...), `no output "q"; it has: y`},
		"bad tensor":      {appendProtoEntry(nil, requestInputs, "x", []byte{0xff}), "input x: it is no TensorProto"},
		"type":            {floats(func(p *pbtensor.TensorProto) { p.Dtype = pbtypes.DataType_DT_DOUBLE }), "input x: the value has the type DT_DOUBLE, the model takes DT_FLOAT"},
		"no type":         {floats(func(p *pbtensor.TensorProto) { p.Dtype = 0 }), "input x: the value has the type DT_INVALID"},
		"shape":           {floats(func(p *pbtensor.TensorProto) { p.TensorShape = protoShapeOf(2, 1) }), "input x: the value has the shape [2, 1], the model takes [?]"},
		"negative":        {floats(func(p *pbtensor.TensorProto) { p.TensorShape = protoShapeOf(-1) }), "a dimension of size -1"},
		"unknown rank":    {floats(func(p *pbtensor.TensorProto) { p.TensorShape = &pbshape.TensorShapeProto{UnknownRank: true} }), "unknown rank"},
		"too many":        {floats(func(p *pbtensor.TensorProto) { p.TensorShape = protoShapeOf(1) }), "2 elements, its shape [1] holds 1"},
		"a huge shape":    {floats(func(p *pbtensor.TensorProto) { p.TensorShape = protoShapeOf(1e12) }), "too large"},
		"a larger one":    {floats(func(p *pbtensor.TensorProto) { p.TensorShape = protoShapeOf(math.MaxInt64) }), "too large"},
		"content":         {floats(func(p *pbtensor.TensorProto) { p.TensorContent = make([]byte, 7) }), "tensor_content has 7 bytes"},
		"content, longer": {floats(func(p *pbtensor.TensorProto) { p.TensorContent = make([]byte, 12) }), "tensor_content has 12 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeProto(tc.body, signatures)
			if ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want INVALID_ARGUMENT with %q", err, tc.want)
			}
		})
	}
}

func TestDecodeProto_RefusesByType(t *testing.T) {
	for name, tc := range map[string]struct {
		in   *pbtensor.TensorProto
		want string
	}{
		"int8":              {&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_INT8, IntVal: []int32{128}}, "128 is out of the range of DT_INT8"},
		"uint16":            {&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_UINT16, IntVal: []int32{-1}}, "-1 is out of the range of DT_UINT16"},
		"half":              {&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_HALF, HalfVal: []int32{1 << 16}}, "out of the range of DT_HALF"},
		"bool":              {&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_BOOL, TensorContent: []byte{2}}, "neither true nor false"},
		"string in content": {&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_STRING, TensorContent: []byte{2}}, "string_val"},
		"complex":           {&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_COMPLEX64, ScomplexVal: []float32{1, 2}}, "cannot carry"},
		"a hidden product":  {&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_INT8, TensorShape: protoShapeOf(1<<39, 1<<39, 0)}, "too large"},
		"filled strings":    {&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_STRING, TensorShape: protoShapeOf(maxFilled / 8)}, "too large to be filled up"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeProto(request(t, "", only(tc.in)), one(sig(Spec{Name: "x", DType: DType(tc.in.Dtype), UnknownRank: true})))
			if ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want INVALID_ARGUMENT with %q", err, tc.want)
			}
		})
	}
}

// What may be filled up is counted over all inputs, also where one is given again.
func TestDecodeProto_FillIsBounded(t *testing.T) {
	in, err := proto.Marshal(&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_INT8, TensorShape: protoShapeOf(maxFilled/2 + 1)})
	if err != nil {
		t.Fatal(err)
	}
	signatures := one(sig(anyShape("x", Int8)))
	body := appendProtoEntry(nil, requestInputs, "x", in)
	if _, err := DecodeProto(body, signatures); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeProto(append(body, body...), signatures); ml.KindOf(err) != ml.InvalidArgument {
		t.Errorf("got %v", err)
	}
}

// An answer, read by the generated code.
func TestAppendProto(t *testing.T) {
	s := &Signature{Name: "s", Outputs: map[string]Spec{"a": {}, "b": {}, "c": {}}}
	outputs := []*Tensor{
		{DType: Float32, Shape: []int64{2, 1}, Data: numbers(Float32, 1, 2.5)},
		{DType: String, Shape: []int64{2}, Strings: [][]byte{[]byte("x"), {}}},
		{DType: Int64, Data: numbers(Int64, 300)},
	}
	want := map[string]*pbtensor.TensorProto{
		"a": {Dtype: pbtypes.DataType_DT_FLOAT, TensorShape: protoShapeOf(2, 1), TensorContent: outputs[0].Data},
		"b": {Dtype: pbtypes.DataType_DT_STRING, TensorShape: protoShapeOf(2), StringVal: [][]byte{[]byte("x"), {}}},
		"c": {Dtype: pbtypes.DataType_DT_INT64, TensorShape: protoShapeOf(), TensorContent: outputs[2].Data},
	}
	for _, filter := range [][]string{nil, {"c", "a"}} {
		b, err := AppendProto([]byte("before"), Request{Signature: s, Outputs: filter}, outputs)
		if err != nil || !bytes.HasPrefix(b, []byte("before")) {
			t.Fatalf("%v", err)
		}
		f, seen := fields{rest: b[len("before"):]}, map[string]bool{}
		for f.next() {
			name, value, err := protoEntry(f.content)
			var got pbtensor.TensorProto
			if err != nil || !f.is(responseOutputs) || proto.Unmarshal(value, &got) != nil || !proto.Equal(&got, want[string(name)]) {
				t.Errorf("field %d, %s: %v, %v", f.number, name, &got, err)
			}
			seen[string(name)] = true
		}
		if f.err != nil || filter == nil && len(seen) != 3 || filter != nil && (len(seen) != 2 || seen["b"]) {
			t.Errorf("with the filter %v: %v, %v", filter, seen, f.err)
		}
	}
	if _, err := AppendProto(nil, Request{Signature: s}, outputs[:1]); ml.KindOf(err) != ml.Internal {
		t.Errorf("with an output missing: %v", err)
	}
	complex := []*Tensor{{DType: Complex64}, outputs[1], outputs[2]}
	if _, err := AppendProto(nil, Request{Signature: s}, complex); ml.KindOf(err) != ml.InvalidArgument {
		t.Errorf("with a complex output: %v", err)
	}
}

// FuzzDecodeProto: no body makes the decoder panic, changes, or takes much more
// memory than it has bytes; what it takes is a tensor whose data fits its shape and
// that comes back from its encoding; what it refuses, it refuses as
// INVALID_ARGUMENT.
func FuzzDecodeProto(f *testing.F) {
	f.Add(request(f, "", only(&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_FLOAT, TensorShape: protoShapeOf(3), FloatVal: []float32{1, 2}})))
	f.Add(request(f, "", only(&pbtensor.TensorProto{Dtype: pbtypes.DataType_DT_FLOAT, TensorShape: protoShapeOf(2), TensorContent: make([]byte, 8)}), "y"))
	f.Add(request(f, "strings", map[string]*pbtensor.TensorProto{"s": {Dtype: pbtypes.DataType_DT_STRING, StringVal: [][]byte{[]byte("abc")}}}))
	f.Add(request(f, "two", map[string]*pbtensor.TensorProto{
		"a": {Dtype: pbtypes.DataType_DT_BOOL, TensorShape: protoShapeOf(2), BoolVal: []bool{true}},
		"b": {Dtype: pbtypes.DataType_DT_INT16, TensorShape: protoShapeOf(1, 1), IntVal: []int32{-3}},
	}))
	strs, two := sig(anyShape("s", String)), sig(anyShape("a", Bool), anyShape("b", Int16))
	strs.Name, two.Name = "strings", "two"
	signatures := map[string]*Signature{DefaultSignature: sig(anyShape("x", Float32)), "strings": strs, "two": two}
	signatures[DefaultSignature].Outputs["y"] = Spec{Name: "y"}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		request, err := DecodeProto(body, signatures)
		if !bytes.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if ml.KindOf(err) != ml.InvalidArgument {
				t.Fatalf("kind %v: %v", ml.KindOf(err), err)
			}
			return
		}
		taken := 0
		for name, x := range request.Inputs {
			if len(x.Data)+len(x.Strings) != x.Len()*max(x.DType.Size(), 1) {
				t.Fatalf("input %s: shape %v, %d bytes, %d strings", name, x.Shape, len(x.Data), len(x.Strings))
			}
			taken += len(x.Data) + stringSize*len(x.Strings)
			room := maxFilled
			head := appendTensorHead(nil, x)
			b := appendTensorProto(nil, x, head)
			if len(b) != sizeTensorProto(x, head) {
				t.Fatalf("%d bytes, not the %d of its size", len(b), sizeTensorProto(x, head))
			}
			again, err := readTensorProto(b, request.Signature.Inputs[name], &room)
			if err != nil || !bytes.Equal(again.Data, x.Data) || len(again.Strings) != len(x.Strings) {
				t.Fatalf("input %s does not come back: %v", name, err)
			}
		}
		if taken > maxFilled+stringSize*len(body) {
			t.Fatalf("%d bytes became %d", len(body), taken)
		}
	})
}
