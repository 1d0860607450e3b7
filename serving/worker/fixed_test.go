package worker

import (
	"slices"
	"testing"

	"hearth/serving/tensor"
)

func TestFixed_RunsPartByPart(t *testing.T) {
	for name, c := range map[string]struct {
		size int64
		ask  []float32
		runs [][]float32
	}{
		"one by one":    {1, []float32{1, 2, 3}, [][]float32{{1}, {2}, {3}}},
		"fits":          {2, []float32{1, 2}, [][]float32{{1, 2}}},
		"filled up":     {2, []float32{1, 2, 3}, [][]float32{{1, 2}, {3, 3}}},
		"too few":       {4, []float32{5}, [][]float32{{5, 5, 5, 5}}},
		"of any number": {-1, []float32{1, 2, 3}, [][]float32{{1, 2, 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoubler()
			for _, specs := range []map[string]tensor.Spec{d.sig.Inputs, d.sig.Outputs} {
				for alias, spec := range specs {
					spec.Shape = []int64{c.size}
					specs[alias] = spec
				}
			}
			out, err := WithFixed(d).Run(t.Context(), d.sig, map[string]*tensor.Tensor{"x": column(c.ask...)})
			if err != nil {
				t.Fatal(err)
			}
			var want []float32
			for _, x := range c.ask {
				want = append(want, 2*x)
			}
			if got := floats(out[0]); !slices.Equal(got, want) || out[0].Shape[0] != int64(len(c.ask)) {
				t.Errorf("got %v of the shape %v, want %v", got, out[0].Shape, want)
			}
			if !slices.EqualFunc(d.batches, c.runs, slices.Equal) {
				t.Errorf("runs %v, want %v", d.batches, c.runs)
			}
		})
	}
}
