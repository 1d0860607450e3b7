package worker

import (
	"bytes"
	"context"
	"math"
	"slices"
	"time"

	"hearth/serving/tensor"
)

// Batches of up to maxBatch rows are tried out, for measureTime at most; one
// larger than what gives nearly the best time for a row would only make requests
// wait for one another.
const (
	maxBatch    = 128
	measureTime = time.Second
	nearlyBest  = 1.1
)

// batchLimit finds out how many rows requests may fill together in one run of a
// signature; 0 means that each has to be run by itself. That is so unless its
// shapes say that dimension 0 of everything is a batch of any size, and a trial
// shows that rows mean nothing to one another: a graph may
// well compare them, and then only those of one request belong together.
func batchLimit(ctx context.Context, s Servable, try *samples, sig *tensor.Signature) int64 {
	for _, specs := range []map[string]tensor.Spec{sig.Inputs, sig.Outputs} {
		for _, spec := range specs {
			if spec.UnknownRank || len(spec.Shape) == 0 || spec.Shape[0] >= 0 {
				return 0
			}
		}
	}
	if !keepsRowsApart(ctx, s, try, sig) {
		return 0
	}
	var sizes []int64
	var perRow []float64
	began := time.Now()
	for n := int64(1); n <= maxBatch && time.Since(began) < measureTime; n *= 2 {
		took, ok := timeRuns(ctx, s, try, sig, n, 4)
		if !ok {
			break
		}
		sizes, perRow = append(sizes, n), append(perRow, float64(took)/float64(n))
	}
	if len(sizes) == 0 {
		return 0
	}
	best := slices.Min(perRow)
	n := sizes[slices.IndexFunc(perRow, func(t float64) bool { return t <= nearlyBest*best })]
	if n == 1 {
		return 0
	}
	return n
}

// timeRuns gives the shortest time of some runs of so many rows.
func timeRuns(ctx context.Context, s Servable, try *samples, sig *tensor.Signature, rows int64, runs int) (time.Duration, bool) {
	shortest := time.Duration(math.MaxInt64)
	for range runs {
		in, ok := try.take(sig, rows, 0)
		if !ok {
			return 0, false
		}
		began := time.Now()
		if _, err := s.Run(ctx, sig, in); err != nil {
			return 0, false
		}
		shortest = min(shortest, time.Since(began))
	}
	return shortest, true
}

// keepsRowsApart tries whether two different rows give the same alone and
// together, in either order.
func keepsRowsApart(ctx context.Context, s Servable, try *samples, sig *tensor.Signature) bool {
	var rows [2]map[string]*tensor.Tensor
	var alone [2][]*tensor.Tensor
	for i := range rows {
		var ok bool
		if rows[i], ok = try.take(sig, 1, i); !ok {
			return false
		}
		var err error
		if alone[i], err = s.Run(ctx, sig, rows[i]); err != nil {
			return false
		}
	}
	for first := range rows {
		second := 1 - first
		in := map[string]*tensor.Tensor{}
		for name, t := range rows[first] {
			in[name] = tensor.Join([]*tensor.Tensor{t, rows[second][name]})
		}
		out, err := s.Run(ctx, sig, in)
		if err != nil {
			return false
		}
		for i, t := range out {
			if n, ok := t.Rows(); !ok || n != 2 || !same(t.Cut(0, 1), alone[first][i]) || !same(t.Cut(1, 2), alone[second][i]) {
				return false
			}
		}
	}
	return true
}

// same compares what a row gave alone and in a batch: the order of a sum may
// differ, and so its last digits.
func same(a, b *tensor.Tensor) bool {
	if a.DType != b.DType || !slices.Equal(a.Shape, b.Shape) || len(a.Data) != len(b.Data) {
		return false
	}
	if !slices.EqualFunc(a.Strings, b.Strings, bytes.Equal) {
		return false
	}
	var tolerance float64
	switch a.DType {
	case tensor.Float32, tensor.Float64:
		tolerance = 1e-3
	case tensor.Float16, tensor.BFloat16:
		tolerance = 3e-2
	default:
		return bytes.Equal(a.Data, b.Data)
	}
	for i := range a.Len() {
		x, y := a.Float(i), b.Float(i)
		if x != y && !(math.IsNaN(x) && math.IsNaN(y)) && !(math.Abs(x-y) <= 1e-5+tolerance*max(math.Abs(x), math.Abs(y))) {
			return false
		}
	}
	return true
}
