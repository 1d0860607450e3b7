package tensor

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// imageRequest is a request with one 224×224×3 image as people send it: lists of
// numbers with three decimals.
func imageRequest() ([]byte, map[string]*Signature) {
	r := rand.New(rand.NewPCG(5, 6))
	body := []byte(`{"instances": [[`)
	for y := range 224 {
		if y > 0 {
			body = append(body, ", "...)
		}
		body = append(body, '[')
		for x := range 224 {
			if x > 0 {
				body = append(body, ", "...)
			}
			body = append(body, '[')
			for c := range 3 {
				if c > 0 {
					body = append(body, ", "...)
				}
				body = strconv.AppendFloat(body, math.Round(2000*r.Float64()-1000)/1000, 'f', -1, 64)
			}
			body = append(body, ']')
		}
		body = append(body, ']')
	}
	body = append(body, "]]}"...)
	return body, one(sig(Spec{Name: "x", DType: Float32, Shape: []int64{-1, 224, 224, 3}}))
}

func BenchmarkDecodeImage(b *testing.B) {
	body, signatures := imageRequest()
	b.Run("hearth", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(body, signatures); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var request struct {
				Instances [][][][]float32 `json:"instances"`
			}
			if err := json.Unmarshal(body, &request); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecodeOne(b *testing.B) {
	body, signatures := []byte(`{"instances": [1.0]}`), one(sig(Spec{Name: "x", DType: Float32, Shape: []int64{-1}}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(body, signatures); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendPredictions(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	values := make([]float64, 1000)
	floats := make([]float32, len(values))
	for i := range values {
		floats[i] = r.Float32() / 100
		values[i] = float64(floats[i])
	}
	s := &Signature{Outputs: map[string]Spec{"y": {}}}
	outputs := []*Tensor{{DType: Float32, Shape: []int64{1, 1000}, Data: numbers(Float32, values...)}}
	b.Run("hearth", func(b *testing.B) {
		var dst []byte
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if dst, err = AppendPredictions(dst[:0], s, outputs); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(dst)))
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst, err := json.Marshal(map[string]any{"predictions": []any{map[string]any{"y": floats}}})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(dst)))
		}
	})
}
