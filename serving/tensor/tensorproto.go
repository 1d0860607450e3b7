package tensor

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of tensorflow.TensorProto and tensorflow.TensorShapeProto.
const (
	protoDType   = 1
	protoShape   = 2
	protoContent = 4
	protoStrings = 8

	shapeDim     = 2
	shapeUnknown = 3
	dimSize      = 1
)

// protoValues are the fields of TensorProto that hold the elements of a type, if
// tensor_content does not.
var protoValues = [...]protowire.Number{
	Float32: 5, Float64: 6, Int32: 7, Int16: 7, Int8: 7, Uint8: 7, Uint16: 7, String: protoStrings, Int64: 10, Bool: 11,
	Float16: 13, BFloat16: 13, Uint32: 16, Uint64: 17,
}

// maxFilled is how many bytes the elements of one request's tensors may take of
// which the request holds only the first ones.
const maxFilled = 64 << 20

// stringSize is what an empty string takes.
const stringSize = 24

// tensorProto is a TensorProto that is being read for an input of a signature.
type tensorProto struct {
	spec        Spec
	dtype       DType
	shape       []int64
	unknownRank bool
	content     []byte
	data        []byte   // the elements of the field for the type
	strings     [][]byte // the same
}

// readTensorProto reads an encoded TensorProto. The tensor shares memory with it
// where it can. What room has left is how many bytes may still be filled up.
func readTensorProto(b []byte, spec Spec, room *int) (*Tensor, error) {
	p := tensorProto{spec: spec}
	if !spec.DType.Supported() {
		return nil, fmt.Errorf("it has the type %s, which a request cannot carry", spec.DType)
	}
	if err := p.read(b); err != nil {
		return nil, err
	}
	switch {
	case p.dtype != spec.DType:
		return nil, fmt.Errorf("the value has the type %s, the model takes %s", p.dtype, spec.DType)
	case p.unknownRank:
		return nil, fmt.Errorf("the value has a shape of unknown rank")
	case !spec.UnknownRank && !fitsShape(p.shape, spec.Shape):
		return nil, fmt.Errorf("the value has the shape %s, the model takes %s", showShape(p.shape), showShape(spec.Shape))
	}
	return p.tensor(room)
}

// fitsShape says whether a shape is one that a signature's allows.
func fitsShape(shape, want []int64) bool {
	return slices.EqualFunc(shape, want, func(have, want int64) bool { return want < 0 || have == want })
}

func (p *tensorProto) read(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		var err error
		switch {
		case f.number == protoDType && f.kind == protowire.VarintType:
			p.dtype = DType(int32(f.value))
		case f.is(protoShape):
			err = p.readShape(f.content)
		case f.is(protoContent):
			p.content = f.content
		case f.number == protoValues[p.spec.DType]:
			err = p.readValues(&f)
		}
		if err != nil {
			return err
		}
	}
	return malformed(f.err)
}

// malformed says that what was read is no message.
func malformed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("it is no TensorProto: %w", err)
}

func (p *tensorProto) readShape(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.number == shapeUnknown && f.kind == protowire.VarintType:
			p.unknownRank = f.value != 0
		case f.is(shapeDim):
			if len(p.shape) == maxRank {
				return fmt.Errorf("the value has more than %d dimensions", maxRank)
			}
			size := int64(0)
			d := fields{rest: f.content}
			for d.next() {
				if d.number == dimSize && d.kind == protowire.VarintType {
					size = int64(d.value)
				}
			}
			if d.err != nil {
				return malformed(d.err)
			}
			if size < 0 {
				return fmt.Errorf("the value has a dimension of size %d", size)
			}
			p.shape = append(p.shape, size)
		}
	}
	return malformed(f.err)
}

// readValues reads a field with one element, or with many that are packed.
func (p *tensorProto) readValues(f *fields) error {
	size := p.spec.DType.Size()
	switch p.spec.DType {
	case String:
		if f.kind == protowire.BytesType {
			p.strings = append(p.strings, f.content)
			return nil
		}
	case Float32, Float64:
		switch {
		case f.kind == protowire.BytesType && len(f.content)%size == 0:
			p.data = append(p.data, f.content...) // in the order of the machine too
			return nil
		case f.kind == protowire.Fixed32Type && size == 4, f.kind == protowire.Fixed64Type && size == 8:
			p.data = appendSized(p.data, size, f.value)
			return nil
		}
	default:
		switch f.kind {
		case protowire.VarintType:
			return p.integer(f.value)
		case protowire.BytesType:
			return p.integers(f.content)
		}
	}
	return fmt.Errorf("its elements are not encoded as %s", p.spec.DType)
}

// integers reads packed elements.
func (p *tensorProto) integers(packed []byte) error {
	count := 0
	for _, b := range packed {
		if b < 0x80 { // the last byte of an element
			count++
		}
	}
	p.data = slices.Grow(p.data, count*p.spec.DType.Size())
	for len(packed) > 0 {
		v, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			return malformed(protowire.ParseError(n))
		}
		if err := p.integer(v); err != nil {
			return err
		}
		packed = packed[n:]
	}
	return nil
}

// integer takes an element of an integer type, of Bool, or the bits of a 16-bit
// float.
func (p *tensorProto) integer(v uint64) error {
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	signed := int64(int32(v)) // what the field holds
	switch p.spec.DType {
	case Int64, Uint64:
		signed = 0
	case Uint32:
		v, signed = uint64(uint32(v)), 0
	case Bool:
		v, signed = min(v, 1), 0
	case Int16:
		low, high = math.MinInt16, math.MaxInt16
	case Int8:
		low, high = math.MinInt8, math.MaxInt8
	case Uint8:
		low, high = 0, math.MaxUint8
	case Uint16, Float16, BFloat16:
		low, high = 0, math.MaxUint16
	}
	if signed < low || signed > high {
		return fmt.Errorf("%d is out of the range of %s", signed, p.spec.DType)
	}
	p.data = appendSized(p.data, p.spec.DType.Size(), v)
	return nil
}

// tensor gives the tensor when all has been read.
func (p *tensorProto) tensor(room *int) (*Tensor, error) {
	n, ok := elements(p.shape)
	if !ok {
		return nil, fmt.Errorf("the value has the shape %s, which is too large", showShape(p.shape))
	}
	t := &Tensor{DType: p.dtype, Shape: p.shape}
	if len(p.content) > 0 {
		return t, p.fromContent(t, n)
	}
	t.Data, t.Strings = p.data, p.strings
	size, have := max(p.dtype.Size(), 1), len(p.data)
	if p.dtype == String {
		size, have = stringSize, len(p.strings)
	} else {
		have /= size
	}
	switch {
	case have > n:
		return nil, fmt.Errorf("the value has %d elements, its shape %s holds %d", have, showShape(p.shape), n)
	case have < n && n > *room/size:
		return nil, fmt.Errorf("the value has %d elements for the shape %s, which is too large to be filled up", have, showShape(p.shape))
	case have < n:
		*room -= n * size
		t.fill(n)
	}
	return t, nil
}

// elements is how many elements a shape holds. It is not ok for more than can be
// counted, also where a dimension of none hides that.
func elements(shape []int64) (n int, ok bool) {
	const limit = 1 << 40
	n, nonzero := 1, int64(1)
	for _, d := range shape {
		if d > limit/nonzero {
			return 0, false
		}
		nonzero *= max(d, 1)
		n *= int(d)
	}
	return n, true
}

// fromContent takes the elements from tensor_content, where there are n.
func (p *tensorProto) fromContent(t *Tensor, n int) error {
	size := p.dtype.Size()
	switch {
	case size == 0:
		return fmt.Errorf("strings must come in string_val, not in tensor_content")
	case len(p.content)/size != n || len(p.content)%size != 0:
		return fmt.Errorf("tensor_content has %d bytes, the shape %s holds %d elements of %d", len(p.content), showShape(p.shape), n, size)
	case p.dtype == Bool && slices.ContainsFunc(p.content, func(b byte) bool { return b > 1 }):
		return fmt.Errorf("tensor_content holds bytes that are neither true nor false")
	}
	t.Data = p.content
	return nil
}

// fill repeats the last element until there are n; where there is none, those are
// zeros or empty strings.
func (t *Tensor) fill(n int) {
	if t.DType == String {
		var last []byte
		if len(t.Strings) > 0 {
			last = t.Strings[len(t.Strings)-1]
		}
		t.Strings = slices.Grow(t.Strings, n-len(t.Strings))
		for len(t.Strings) < n {
			t.Strings = append(t.Strings, last)
		}
		return
	}
	size := t.DType.Size()
	data := make([]byte, n*size)
	have := copy(data, t.Data)
	t.Data = data
	if have == 0 {
		return
	}
	// Each round copies twice as much.
	pattern := data[have-size:]
	for done := size; done < len(pattern); done *= 2 {
		copy(pattern[done:], pattern[:done])
	}
}

// appendTensorProto appends an encoded TensorProto: numbers as tensor_content.
func appendTensorProto(dst []byte, t *Tensor, head []byte) []byte {
	dst = append(dst, head...)
	if t.DType != String {
		if len(t.Data) == 0 {
			return dst
		}
		return appendBytesField(dst, protoContent, t.Data)
	}
	for _, s := range t.Strings {
		dst = appendBytesField(dst, protoStrings, s)
	}
	return dst
}

// sizeTensorProto is how many bytes appendTensorProto appends.
func sizeTensorProto(t *Tensor, head []byte) int {
	n := len(head)
	if len(t.Data) > 0 {
		n += sizeBytesField(protoContent, len(t.Data))
	}
	for _, s := range t.Strings {
		n += sizeBytesField(protoStrings, len(s))
	}
	return n
}

// appendTensorHead appends what a TensorProto has before its elements: type and
// shape.
func appendTensorHead(dst []byte, t *Tensor) []byte {
	dst = appendVarintField(dst, protoDType, uint64(t.DType))
	size := 0
	for _, d := range t.Shape {
		size += sizeBytesField(shapeDim, sizeDim(d))
	}
	dst = protowire.AppendTag(dst, protoShape, protowire.BytesType)
	return appendDims(protowire.AppendVarint(dst, uint64(size)), t.Shape)
}

func sizeDim(d int64) int {
	return protowire.SizeTag(dimSize) + protowire.SizeVarint(uint64(d))
}

// appendDims appends the dimensions of an encoded TensorShapeProto.
func appendDims(dst []byte, shape []int64) []byte {
	for _, d := range shape {
		dst = protowire.AppendTag(dst, shapeDim, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(sizeDim(d)))
		dst = appendVarintField(dst, dimSize, uint64(d))
	}
	return dst
}
