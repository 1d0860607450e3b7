package tensor

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"hearth/ml"
)

// DefaultSignature is the signature that a request without a signature_name
// means where a model has several.
const DefaultSignature = "serving_default"

// Tensor is an array of one element type in row-major order.
type Tensor struct {
	DType DType
	// Shape holds the size of each dimension; none for a scalar.
	Shape []int64
	// Data holds the elements of every type but String, one after another in
	// the byte order of the machine.
	Data []byte
	// Strings holds the elements of type String.
	Strings [][]byte
}

// Len gives the number of elements that the shape says.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= int(d)
	}
	return n
}

// Float gives element i of a tensor of one of the float types.
func (t *Tensor) Float(i int) float64 {
	order := binary.NativeEndian
	switch t.DType {
	case Float32:
		return float64(math.Float32frombits(order.Uint32(t.Data[4*i:])))
	case Float64:
		return math.Float64frombits(order.Uint64(t.Data[8*i:]))
	case Float16:
		return widen(order.Uint16(t.Data[2*i:]), halfExponent, halfMantissa)
	case BFloat16:
		return widen(order.Uint16(t.Data[2*i:]), bfloatExponent, bfloatMantissa)
	}
	panic("no float: " + t.DType.String())
}

// Spec is what a signature says of one of its inputs or outputs.
type Spec struct {
	// Name is the alias, the key under which clients know the tensor.
	Name string
	// Tensor is its name in the graph, for example "serving_default_x:0".
	Tensor string
	DType  DType
	// Shape holds the size of each dimension, -1 where it is not fixed.
	Shape []int64
	// UnknownRank says that nothing is known of the shape; Shape is empty then.
	UnknownRank bool
}

// Signature is one way to call a model. It must not be copied.
type Signature struct {
	Name            string
	Inputs, Outputs map[string]Spec
	// Method is what the model's maker says that it does, for example
	// "tensorflow/serving/predict". It means nothing to a run.
	Method string

	sortOutputs sync.Once
	outputNames []string

	findFixed  sync.Once
	fixedBatch int64
}

// FixedBatch is the number of rows that every run of the signature takes, neither
// more nor fewer, 0 if its shapes say no such thing.
func (s *Signature) FixedBatch() int64 {
	s.findFixed.Do(func() {
		if len(s.Outputs) == 0 {
			return
		}
		for _, specs := range []map[string]Spec{s.Inputs, s.Outputs} {
			for _, spec := range specs {
				if spec.UnknownRank || len(spec.Shape) == 0 || spec.Shape[0] <= 0 || s.fixedBatch > 0 && spec.Shape[0] != s.fixedBatch {
					s.fixedBatch = 0
					return
				}
				s.fixedBatch = spec.Shape[0]
			}
		}
	})
	return s.fixedBatch
}

// OutputNames gives the aliases of the outputs in sorted order, the order in
// which a run gives their tensors. The caller must not change the slice.
func (s *Signature) OutputNames() []string {
	s.sortOutputs.Do(func() { s.outputNames = slices.Sorted(maps.Keys(s.Outputs)) })
	return s.outputNames
}

// Select gives the signature that a request means: the named one; for an empty
// name the only one, whatever its name, else [DefaultSignature]. It gives an
// INVALID_ARGUMENT where there is none.
func Select(signatures map[string]*Signature, name string) (*Signature, error) {
	if name == "" && len(signatures) == 1 {
		for _, s := range signatures {
			return s, nil
		}
	}
	if name == "" {
		name = DefaultSignature
	}
	if s, ok := signatures[name]; ok {
		return s, nil
	}
	return nil, invalid("No signature found for signature key %s. The model has: %s.",
		shorten(name), listed(signatures))
}

// listed gives the keys of a map in order.
func listed[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// shorten bounds what an error repeats of a request.
func shorten(text string) string {
	const limit = 100
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// invalid makes the INVALID_ARGUMENT for a request that does not fit the model,
// or for outputs that its answer cannot show.
func invalid(format string, args ...any) error { return ml.Errorf(ml.InvalidArgument, format, args...) }
