package worker

import (
	"context"

	"hearth/serving/tensor"
)

// fixed is a model whose signatures of a fixed batch take requests of any number
// of rows: it runs them in parts of that size, the last one filled up with its
// last row.
type fixed struct{ Servable }

// WithFixed gives the model itself if none of its signatures has a fixed batch.
func WithFixed(s Servable) Servable {
	for _, sig := range s.Signatures() {
		if sig.FixedBatch() > 0 {
			return fixed{s}
		}
	}
	return s
}

// Run implements [Servable].
func (f fixed) Run(ctx context.Context, sig *tensor.Signature, in map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	size, rows := sig.FixedBatch(), commonRows(in)
	if size == 0 || rows <= 0 || rows == size {
		return f.Servable.Run(ctx, sig, in)
	}
	var parts [][]*tensor.Tensor // by output
	for from := int64(0); from < rows; from += size {
		part := make(map[string]*tensor.Tensor, len(in))
		for name, t := range in {
			part[name] = cutFilled(t, from, size)
		}
		out, err := f.Servable.Run(ctx, sig, part)
		if err != nil {
			return nil, err
		}
		if parts == nil {
			parts = make([][]*tensor.Tensor, len(out))
		}
		for i, t := range out {
			parts[i] = append(parts[i], t)
		}
	}
	outputs := make([]*tensor.Tensor, len(parts))
	for i, p := range parts {
		outputs[i] = tensor.Join(p).Cut(0, rows)
	}
	return outputs, nil
}

// commonRows is how many rows all inputs have, 0 if they differ or have none.
func commonRows(in map[string]*tensor.Tensor) int64 {
	rows := int64(-1)
	for _, t := range in {
		n, ok := t.Rows()
		if !ok || rows >= 0 && n != rows {
			return 0
		}
		rows = n
	}
	return max(0, rows)
}

// cutFilled gives size rows from one on; the last one stands for those that t
// has not.
func cutFilled(t *tensor.Tensor, from, size int64) *tensor.Tensor {
	rows := t.Shape[0]
	part := t.Cut(from, min(from+size, rows))
	last := t.Cut(rows-1, rows)
	pieces := []*tensor.Tensor{part}
	for n := part.Shape[0]; n < size; n++ {
		pieces = append(pieces, last)
	}
	return tensor.Join(pieces)
}
