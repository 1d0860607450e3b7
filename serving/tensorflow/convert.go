package tensorflow

import (
	"bytes"
	"reflect"
	"runtime"
	"sync"
	"unsafe"

	tf "github.com/tensorflow/tensorflow/tensorflow/go"

	"hearth/ml"
	"hearth/serving/tensor"
)

// toTensorFlow copies a tensor into TensorFlow's memory. What the binding can
// read as flat bytes goes that way; the rest needs a way of its own each.
func toTensorFlow(t *tensor.Tensor) (*tf.Tensor, error) {
	if have := len(t.Data) + len(t.Strings); have != t.Len()*max(t.DType.Size(), 1) {
		return nil, ml.Errorf(ml.Internal, "a tensor of the shape %v and type %s holds %d", t.Shape, t.DType, have)
	}
	switch t.DType {
	case tensor.String:
		return stringTensor(t)
	case tensor.Uint32:
		return reshaped(viewAs[uint32](t.Data), t.Shape)
	case tensor.Uint64:
		return reshaped(viewAs[uint64](t.Data), t.Shape)
	case tensor.Float16, tensor.BFloat16:
		return halfTensor(t)
	}
	return tf.ReadTensor(tf.DataType(t.DType), t.Shape, bytes.NewReader(t.Data))
}

// viewAs gives flat data as a slice of its elements, copied so that they are
// aligned.
func viewAs[T uint32 | uint64](data []byte) []T {
	var zero T
	values := make([]T, len(data)/int(unsafe.Sizeof(zero)))
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(data)), data)
	return values
}

// reshaped makes a tensor of a flat slice and gives it its shape.
func reshaped(values any, shape []int64) (*tf.Tensor, error) {
	t, err := tf.NewTensor(values)
	if err != nil {
		return nil, err
	}
	return t, t.Reshape(shape)
}

// stringTensor makes a tensor from slices nested as the shape says: the binding
// can make no other of strings.
func stringTensor(t *tensor.Tensor) (*tf.Tensor, error) {
	flat := make([]string, len(t.Strings))
	for i, s := range t.Strings {
		flat[i] = unsafe.String(unsafe.SliceData(s), len(s))
	}
	if len(t.Shape) == 0 {
		return tf.NewTensor(flat[0])
	}
	nested := reflect.ValueOf(flat)
	for dim := len(t.Shape) - 1; dim > 0; dim-- {
		outer := 1
		for _, d := range t.Shape[:dim] {
			outer *= int(d)
		}
		length := int(t.Shape[dim])
		lists := reflect.MakeSlice(reflect.SliceOf(nested.Type()), outer, outer)
		for i := range outer {
			lists.Index(i).Set(nested.Slice(i*length, (i+1)*length))
		}
		nested = lists
	}
	return tf.NewTensor(nested.Interface())
}

// halves turns uint16 tensors into the 16-bit float types, which the binding
// can feed but not make: a graph of two bitcasts, made on first use.
var halves = sync.OnceValues(func() (*bitcasts, error) {
	graph := tf.NewGraph()
	placeholder, err := graph.AddOperation(tf.OpSpec{
		Type: "Placeholder", Name: "bits", Attrs: map[string]any{"dtype": tf.Uint16},
	})
	if err != nil {
		return nil, err
	}
	b := &bitcasts{bits: placeholder.Output(0), as: map[tensor.DType]tf.Output{}}
	for _, t := range []tensor.DType{tensor.Float16, tensor.BFloat16} {
		cast, err := graph.AddOperation(tf.OpSpec{
			Type: "Bitcast", Name: t.String(), Input: []tf.Input{b.bits}, Attrs: map[string]any{"type": tf.DataType(t)},
		})
		if err != nil {
			return nil, err
		}
		b.as[t] = cast.Output(0)
	}
	b.session, err = tf.NewSession(graph, nil)
	return b, err
})

type bitcasts struct {
	session *tf.Session
	bits    tf.Output
	as      map[tensor.DType]tf.Output
}

func halfTensor(t *tensor.Tensor) (*tf.Tensor, error) {
	b, err := halves()
	if err != nil {
		return nil, &ml.Error{Kind: ml.Internal, Message: "make the graph for " + t.DType.String(), Err: err}
	}
	bits, err := tf.ReadTensor(tf.Uint16, t.Shape, bytes.NewReader(t.Data))
	if err != nil {
		return nil, err
	}
	out, err := b.session.Run(map[tf.Output]*tf.Tensor{b.bits: bits}, []tf.Output{b.as[t.DType]}, nil)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// fromTensorFlow copies a tensor out of TensorFlow's memory.
func fromTensorFlow(t *tf.Tensor) (*tensor.Tensor, error) {
	// The binding frees the memory when the last reference to t is gone, and its
	// own methods do not hold on to t until they are done with it.
	defer runtime.KeepAlive(t)
	out := &tensor.Tensor{DType: tensor.DType(t.DataType()), Shape: t.Shape()}
	switch out.DType {
	case tensor.String:
		out.Strings = make([][]byte, 0, out.Len())
		out.Strings = appendStrings(out.Strings, reflect.ValueOf(t.Value()))
		return out, nil
	case tensor.Uint32, tensor.Uint64:
		out.Data = appendUints(nil, reflect.ValueOf(t.Value()))
		return out, nil
	}
	if !out.DType.Supported() {
		return nil, ml.Errorf(ml.InvalidArgument, "tensors of type %s cannot be shown", out.DType)
	}
	buffer := bytes.NewBuffer(make([]byte, 0, out.Len()*out.DType.Size()))
	if _, err := t.WriteContentsTo(buffer); err != nil {
		return nil, err
	}
	out.Data = buffer.Bytes()
	return out, nil
}

// appendStrings flattens nested slices of strings.
func appendStrings(dst [][]byte, v reflect.Value) [][]byte {
	if v.Kind() == reflect.String {
		return append(dst, []byte(v.String()))
	}
	for i := range v.Len() {
		dst = appendStrings(dst, v.Index(i))
	}
	return dst
}

// appendUints flattens nested slices of uint32 or uint64 into their bytes.
func appendUints(dst []byte, v reflect.Value) []byte {
	switch x := v.Interface().(type) {
	case uint32:
		return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(&x)), 4)...)
	case uint64:
		return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(&x)), 8)...)
	case []uint32:
		return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))...)
	case []uint64:
		return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 8*len(x))...)
	}
	for i := range v.Len() {
		dst = appendUints(dst, v.Index(i))
	}
	return dst
}
