package tensor

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"testing"

	"hearth/ml"
)

// FuzzDecode: no body makes the decoder panic or changes; what it takes is a
// tensor whose data fits its shape; what it refuses, it refuses as
// INVALID_ARGUMENT.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{"instances": [1, 2.5e3, -0.001234567890123]}`,
		`{"instances": [{"x": [[1,2],[3,4]]}, {"x": [[], []]}]}`,
		`{"instances": ["a", {"b64": "YQ=="}, "\ud83d\ude00"], "signature_name": "strings"}`,
		`{"signature_name": "two", "instances": [{"a": true, "b": [1]}, {"b": [2], "a": false}]}`,
		`{"httpBody": {"data": "eyJpbnN0YW5jZXMiOiBbMV19"}}`,
		`{"instances": [NaN, -Infinity], "k": [[{"a": null}]]}`,
	} {
		f.Add([]byte(body))
	}
	strs, two := sig(anyShape("s", String)), sig(anyShape("a", Bool), anyShape("b", Int16))
	strs.Name, two.Name = "strings", "two"
	signatures := map[string]*Signature{
		DefaultSignature: sig(anyShape("x", Float32)), "strings": strs, "two": two,
		"half": sig(anyShape("x", Float16)), "fixed": sig(Spec{Name: "x", DType: Uint64, Shape: []int64{-1, 2}}),
	}
	f.Add([]byte(`{"inputs": {"a": [true], "b": [[1]], "c": {}}, "signature_name": "two"} more`))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		for _, decode := range []func([]byte, map[string]*Signature) (Request, error){Decode, DecodeTFServing} {
			request, err := decode(body, signatures)
			if !bytes.Equal(body, before) {
				t.Fatal("the body was changed")
			}
			if err != nil {
				if ml.KindOf(err) != ml.InvalidArgument {
					t.Fatalf("kind %v: %v", ml.KindOf(err), err)
				}
				continue
			}
			for name, x := range request.Inputs {
				if len(x.Data)+len(x.Strings) != x.Len()*max(x.DType.Size(), 1) || request.Instances > 0 && int(x.Shape[0]) != request.Instances {
					t.Fatalf("input %s: shape %v, %d bytes, %d strings", name, x.Shape, len(x.Data), len(x.Strings))
				}
			}
		}
	})
}

// FuzzFloats: lists of numbers are what another reader of JSON says that they are.
func FuzzFloats(f *testing.F) {
	for _, instances := range []string{
		`[[[0.5, -0.25, 1.125], [0.1, 0.2, 0.3], [-9.99999, 1.5, 3.25]]]`, `[[0.5,1.5],[2.5,3.5],[4.5,5]]`, `[[0.5],[1.5e1],[-0.0]]`,
		`[1, 2.5e3, -0.001234567890123]`, `[[0.5, 1.5], [2.5, 3.5], []]`, `[[[0.5]], [[1.5]] , [[2.5]]]`, `[[0.12345,1.1],[0.123456,2.2],[01.5,3.3]]`,
	} {
		f.Add([]byte(instances))
	}
	signatures := map[string]*Signature{DefaultSignature: sig(anyShape("x", Float32))}
	f.Fuzz(func(t *testing.T, instances []byte) {
		request, err := Decode(append(append([]byte(`{"instances": `), instances...), '}'), signatures)
		if err != nil || bytes.ContainsAny(instances, "NI{") {
			return // words that others do not know, or members
		}
		var want []any
		other := json.NewDecoder(bytes.NewReader(instances))
		other.UseNumber()
		if err := other.Decode(&want); err != nil || other.More() {
			t.Skipf("another reader refuses %q: %v", instances, err)
		}
		x := request.Inputs["x"]
		var got []float32
		for i := range x.Len() {
			got = append(got, float32(x.Float(i)))
		}
		if flat := flatten(nil, want); !slices.Equal(got, flat) {
			t.Fatalf("%q: %v, want %v", instances, got, flat)
		}
	})
}

func flatten(flat []float32, list []any) []float32 {
	for _, v := range list {
		switch v := v.(type) {
		case []any:
			flat = flatten(flat, v)
		case json.Number:
			f, _ := strconv.ParseFloat(string(v), 32)
			flat = append(flat, float32(f))
		}
	}
	return flat
}

// FuzzRoundTrip: floats that are written as predictions and sent back as
// instances are the same floats, and other readers of JSON see the same too.
func FuzzRoundTrip(f *testing.F) {
	f.Add(numbers(Float32, 0, 1, -1.5, 0.1, 1e-7, 3.4e38, 1e-45, 16777216, 123456.789), true)
	f.Add(numbers(Float32, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)), false)
	f.Fuzz(func(t *testing.T, data []byte, nested bool) {
		data = data[:len(data)/4*4]
		if len(data) == 0 {
			return
		}
		shape := []int64{int64(len(data) / 4)}
		if nested {
			shape = []int64{1, 1, shape[0]}
		}
		text, err := AppendPredictions(nil, outputs("x"), []*Tensor{{DType: Float32, Shape: shape, Data: data}})
		if err != nil {
			t.Fatal(err)
		}
		body := bytes.Replace(text, []byte("predictions"), []byte("instances"), 1)
		got, err := Decode(body, one(sig(anyShape("x", Float32))))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(data); i += 4 {
			want := math.Float32frombits(binary.NativeEndian.Uint32(data[i:]))
			have := math.Float32frombits(binary.NativeEndian.Uint32(got.Inputs["x"].Data[i:]))
			if math.Float32bits(want) != math.Float32bits(have) && !(want != want && have != have) {
				t.Fatalf("%v became %v in %s", want, have, text)
			}
		}
		if !bytes.Contains(text, []byte("NaN")) && !bytes.Contains(text, []byte("Infinity")) && !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
	})
}
