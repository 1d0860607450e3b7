package tensor

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJoinAndCut(t *testing.T) {
	for name, c := range map[string]struct {
		parts []*Tensor
		all   *Tensor
	}{
		"numbers": {
			[]*Tensor{{DType: Int16, Shape: []int64{1, 2}, Data: []byte{1, 0, 2, 0}}, {DType: Int16, Shape: []int64{2, 2}, Data: []byte{3, 0, 4, 0, 5, 0, 6, 0}}},
			&Tensor{DType: Int16, Shape: []int64{3, 2}, Data: []byte{1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0}},
		},
		"strings": {
			[]*Tensor{{DType: String, Shape: []int64{2}, Strings: [][]byte{[]byte("a"), nil}}, {DType: String, Shape: []int64{1}, Strings: [][]byte{[]byte("c")}}},
			&Tensor{DType: String, Shape: []int64{3}, Strings: [][]byte{[]byte("a"), nil, []byte("c")}},
		},
		"rows of nothing": {
			[]*Tensor{{DType: Float32, Shape: []int64{1, 0}, Data: []byte{}}, {DType: Float32, Shape: []int64{3, 0}, Data: []byte{}}},
			&Tensor{DType: Float32, Shape: []int64{4, 0}, Data: []byte{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := Join(c.parts)
			if diff := cmp.Diff(c.all, all); diff != "" {
				t.Errorf("joined (-want +got)\n%s", diff)
			}
			from := int64(0)
			for _, p := range c.parts {
				rows, _ := p.Rows()
				got := all.Cut(from, from+rows)
				if len(got.Strings) == 0 {
					got.Strings = nil
				}
				if len(got.Data) == 0 && p.Data == nil {
					got.Data = nil
				}
				if diff := cmp.Diff(p, got); diff != "" {
					t.Errorf("cut from %d (-want +got)\n%s", from, diff)
				}
				from += rows
			}
		})
	}
	a, b := &Tensor{DType: Int16, Shape: []int64{1, 2}}, &Tensor{DType: Int16, Shape: []int64{5, 2}}
	for name, other := range map[string]*Tensor{
		"type": {DType: Int32, Shape: []int64{1, 2}}, "inner size": {DType: Int16, Shape: []int64{1, 3}},
		"rank": {DType: Int16, Shape: []int64{1}}, "scalar": {DType: Int16},
	} {
		if SameRows(a, other) || !SameRows(a, b) {
			t.Errorf("rows that differ in %s", name)
		}
	}
	if _, ok := (&Tensor{DType: Int16}).Rows(); ok || SameRows(&Tensor{}, &Tensor{}) {
		t.Error("a scalar has rows")
	}
}
