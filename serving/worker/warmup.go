package worker

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/serving/tensor"
)

// warmupBatches are the batch sizes that the signature is run with in any case
// before the model is called ready: the first runs of a graph are the slow ones.
var warmupBatches = []int64{1, 2, 8}

// maxWarmupElements bounds a synthetic input, so that a signature of large
// tensors does not take the machine's memory to warm up.
const maxWarmupElements = 16 << 20

// warmUp runs the requests that the model brought, which it must answer, and the
// signature that requests get when they name none. Without requests of the model's
// own these are made-up inputs: zeros and empty strings. Other signatures are left
// alone then, since running one that trains would change the model. A model may well
// refuse such inputs (an empty string is no picture), so an error is only logged; but
// one that says that the model lacks something it needs for any input is returned,
// as a FAILED_PRECONDITION.
func warmUp(ctx context.Context, s Servable, try *samples, log zerolog.Logger) error {
	for i, r := range try.requests {
		if _, err := s.Run(ctx, r.Signature, r.Inputs); err != nil {
			return cmp.Or(ctx.Err(), lacking(r.Signature, err), recordedError(i+1, err))
		}
	}
	sig, err := tensor.Select(s.Signatures(), "")
	if err != nil {
		log.Info().Msg("not warmed up: every request must name a signature")
		return nil
	}
	for _, batch := range warmupBatches {
		in, ok := try.take(sig, batch, 0)
		if !ok {
			log.Info().Str("signature", sig.Name).Msg("not warmed up: its inputs cannot be made up")
			return nil
		}
		if _, err := s.Run(ctx, sig, in); err != nil {
			log.Info().Str("signature", sig.Name).Err(err).Msg("the model refuses made-up inputs; its first request may be slow")
			return cmp.Or(ctx.Err(), lacking(sig, err))
		}
	}
	return nil
}

// lacking explains an error of a model that cannot run, whatever the input; nil for
// others.
func lacking(sig *tensor.Signature, err error) error {
	if !lacksResource(err) {
		return nil
	}
	what, _, _ := strings.Cut(sentence(err), "\n")
	return ml.Errorf(ml.FailedPrecondition, "The SavedModel loads, but its signature %s cannot run, whatever the input: something was not saved with it. "+
		"Export Keras models with `model.export`. TensorFlow says: %s", sig.Name, what)
}

// lacksResource tells a graph that lost its variables or tables from one that
// refuses its inputs. Where the model says only what happened, its words decide.
func lacksResource(err error) bool {
	if ml.KindOf(err) == ml.FailedPrecondition {
		return true
	}
	text := err.Error()
	for _, words := range []string{"Could not find variable", "uninitialized value", "Table not initialized", "Error while reading resource variable"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return strings.Contains(text, "Resource ") && strings.Contains(text, " does not exist")
}

// synthetic makes up inputs for a signature, all of whose elements are 0 or 1
// (strings are empty or "1"). Dimension 0, where it is open, is the batch; other
// open dimensions are 1.
func synthetic(sig *tensor.Signature, batch int64, value byte) (map[string]*tensor.Tensor, bool) {
	in := make(map[string]*tensor.Tensor, len(sig.Inputs))
	for alias, spec := range sig.Inputs {
		t, err := filled(spec, batch, value)
		if err != nil {
			return nil, false
		}
		in[alias] = t
	}
	return in, true
}

func filled(spec tensor.Spec, batch int64, value byte) (*tensor.Tensor, error) {
	if !spec.DType.Supported() {
		return nil, fmt.Errorf("elements of type %s", spec.DType)
	}
	t := &tensor.Tensor{DType: spec.DType, Shape: slices.Clone(spec.Shape)}
	if spec.UnknownRank {
		t.Shape = []int64{batch}
	}
	elements := int64(1)
	for i, d := range t.Shape {
		switch {
		case d >= 0:
		case i == 0:
			t.Shape[i] = batch
		default:
			t.Shape[i] = 1
		}
		if t.Shape[i] > maxWarmupElements {
			return nil, fmt.Errorf("a dimension of %d", t.Shape[i])
		}
		if elements *= t.Shape[i]; elements > maxWarmupElements {
			return nil, fmt.Errorf("%d elements and more", elements)
		}
	}
	if spec.DType == tensor.String {
		t.Strings = make([][]byte, elements)
		if value != 0 {
			fill(t.Strings, [][]byte{[]byte("1")})
		}
		return t, nil
	}
	t.Data = make([]byte, elements*int64(spec.DType.Size()))
	if value != 0 {
		fill(t.Data, one(spec.DType))
	}
	return t, nil
}

// fill repeats a pattern.
func fill[T any](dst, pattern []T) {
	for i := range dst {
		dst[i] = pattern[i%len(pattern)]
	}
}

// one is the number 1 in the bytes of a type.
func one(t tensor.DType) []byte {
	order := binary.NativeEndian
	switch t {
	case tensor.Float32:
		return order.AppendUint32(nil, math.Float32bits(1))
	case tensor.Float64:
		return order.AppendUint64(nil, math.Float64bits(1))
	case tensor.Float16:
		return order.AppendUint16(nil, 0x3c00)
	case tensor.BFloat16:
		return order.AppendUint16(nil, 0x3f80)
	}
	switch t.Size() {
	case 8:
		return order.AppendUint64(nil, 1)
	case 4:
		return order.AppendUint32(nil, 1)
	case 2:
		return order.AppendUint16(nil, 1)
	}
	return []byte{1}
}
