package tensor

import "slices"

// Rows gives the size of dimension 0; ok is false for a scalar, which has none.
func (t *Tensor) Rows() (n int64, ok bool) {
	if len(t.Shape) == 0 {
		return 0, false
	}
	return t.Shape[0], true
}

// SameRows says whether rows of two tensors can stand in one.
func SameRows(a, b *Tensor) bool {
	return a.DType == b.DType && len(a.Shape) == len(b.Shape) && len(a.Shape) > 0 && slices.Equal(a.Shape[1:], b.Shape[1:])
}

// Join puts the rows of tensors, any two of which have [SameRows], one below the
// other.
func Join(parts []*Tensor) *Tensor {
	first := parts[0]
	all := &Tensor{DType: first.DType, Shape: slices.Clone(first.Shape)}
	all.Shape[0] = 0
	bytes, strings := 0, 0
	for _, p := range parts {
		all.Shape[0] += p.Shape[0]
		bytes, strings = bytes+len(p.Data), strings+len(p.Strings)
	}
	if first.DType == String {
		all.Strings = make([][]byte, 0, strings)
	} else {
		all.Data = make([]byte, 0, bytes)
	}
	for _, p := range parts {
		all.Data = append(all.Data, p.Data...)
		all.Strings = append(all.Strings, p.Strings...)
	}
	return all
}

// Cut gives the rows from one to before another, which must be there. It shares
// memory with t.
func (t *Tensor) Cut(from, to int64) *Tensor {
	part := &Tensor{DType: t.DType, Shape: slices.Clone(t.Shape)}
	part.Shape[0] = to - from
	if rows := t.Shape[0]; rows > 0 {
		data, strings := int64(len(t.Data))/rows, int64(len(t.Strings))/rows
		part.Data, part.Strings = t.Data[from*data:to*data], t.Strings[from*strings:to*strings]
	}
	return part
}
