package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"hearth/ml"
)

// maxRank bounds the dimensions of an instance, well within TensorFlow's own
// limit of 254.
const maxRank = 64

// column gathers one input over all instances. The shape of an instance comes
// from the first value and must be the same for all.
type column struct {
	name string
	spec Spec
	out  Tensor
	dims []int // of one instance; -1 until its first list has closed
	rank int   // -1 until the first element
	rows int
	// anyRows is true if the rows need not be as many as the signature says.
	anyRows bool
	// whole is true if the one value that is read is all of the input.
	whole bool
}

func newColumn(name string, spec Spec, textLength int) column {
	c := column{name: name, spec: spec, rank: -1}
	c.out.DType = spec.DType
	// Room for the first instance, if its size is known and the text is long
	// enough to hold it.
	elements := 1
	for _, d := range spec.Shape {
		elements *= max(int(d), 1)
		if elements > textLength {
			return c
		}
	}
	c.reserve(elements)
	return c
}

// reserve makes room for n times what there is, or for n elements at first.
func (c *column) reserve(n int) {
	if c.spec.DType == String {
		c.out.Strings = slices.Grow(c.out.Strings, n*max(len(c.out.Strings), 1))
		return
	}
	size := len(c.out.Data)
	if size == 0 {
		size = c.spec.DType.Size()
	}
	c.out.Data = slices.Grow(c.out.Data, n*size)
}

// read reads the value of one more instance.
func (c *column) read(s *scanner) error {
	first := c.rank < 0
	var err error
	if s.space() == '[' {
		err = c.list(s, 0)
	} else if err = c.setRank(0); err == nil {
		err = c.element(s)
	}
	if err != nil {
		return err
	}
	c.rows++
	if first {
		return c.checkShape()
	}
	return nil
}

// setRank holds every element to the same number of lists around it.
func (c *column) setRank(rank int) error {
	if c.rank < 0 {
		c.rank = rank
	}
	if c.rank != rank {
		return fmt.Errorf("lists of different depth: %d here, %d before", rank, c.rank)
	}
	return nil
}

// list reads a list at a depth, which is the number of lists around it.
func (c *column) list(s *scanner, depth int) error {
	if depth == maxRank {
		return fmt.Errorf("lists are nested more than %d deep%s", maxRank, s.where())
	}
	if depth == len(c.dims) {
		c.dims = append(c.dims, -1)
	}
	s.i++
	count := 0
	var err error
	switch s.space() {
	case ']':
		s.i++
		if c.rank < 0 || depth >= c.rank { // else the lengths tell
			err = c.setRank(depth + 1)
		}
	case '[':
		count, err = c.lists(s, depth)
	default:
		if err = c.setRank(depth + 1); err != nil {
			return err
		}
		if c.spec.DType == Float32 {
			count, err = c.float32s(s)
		} else {
			count, err = c.elements(s)
		}
	}
	if err != nil {
		return err
	}
	if c.dims[depth] < 0 {
		c.dims[depth] = count
	}
	if c.dims[depth] != count {
		return fmt.Errorf("lists of different length: %d elements before byte %d, %d in one before", count, s.i, c.dims[depth])
	}
	return nil
}

// lists reads the elements of a list of lists, and its end.
func (c *column) lists(s *scanner, depth int) (count int, err error) {
	for more := true; more; count++ {
		if s.space() != '[' {
			return 0, fmt.Errorf("expected a list, found %s", s.found())
		}
		if c.spec.DType == Float32 && c.rank == depth+2 && c.dims[depth+1] > 0 {
			count += c.float32Lists(s, c.dims[depth+1])
		}
		if err = c.list(s, depth+1); err != nil {
			return 0, err
		}
		if more, err = s.next(']'); err != nil {
			return 0, err
		}
	}
	return count, nil
}

// float32Lists reads innermost lists of so many numbers of the short form each, as
// pictures have one for each point, as long as another list is behind, and says how
// many. Whatever else there is it leaves where it is.
func (c *column) float32Lists(s *scanner, length int) (lists int) {
	b, i := s.b, s.i
	for {
		data := c.out.Data
		i++
		for n := range length {
			v, end := shortFloat32(b, i)
			if end == 0 || end+3 >= len(b) {
				return lists
			}
			data = binary.NativeEndian.AppendUint32(data, math.Float32bits(v))
			i = end
			if n < length-1 {
				if b[i] != ',' {
					return lists
				}
				i++
				if b[i] == ' ' {
					i++
				}
			}
		}
		if b[i] != ']' || b[i+1] != ',' {
			return lists
		}
		i += 2
		if b[i] == ' ' {
			i++
		}
		if b[i] != '[' {
			return lists
		}
		c.out.Data, s.i = data, i
		lists++
	}
}

// elements reads the elements of an innermost list, and its end.
func (c *column) elements(s *scanner) (count int, err error) {
	for more := true; more; count++ {
		s.space()
		if err = c.element(s); err != nil {
			return 0, err
		}
		if more, err = s.next(']'); err != nil {
			return 0, err
		}
	}
	return count, nil
}

// float32s is elements for the type that most models take.
func (c *column) float32s(s *scanner) (count int, err error) {
	b, i, data := s.b, s.i, c.out.Data
	for {
		count++
		v, end := shortFloat32(b, i)
		if end <= 0 {
			v, end = fastFloat32(b, i)
		}
		if end >= 0 {
			i = end
			data = binary.NativeEndian.AppendUint32(data, math.Float32bits(v))
		} else {
			s.i, c.out.Data = i, data
			s.space()
			if err := c.element(s); err != nil {
				return 0, err
			}
			i, data = s.i, c.out.Data
		}
		if i+1 < len(b) && b[i] == ',' {
			i++
			if b[i] == ' ' {
				i++
			}
			continue
		}
		s.i, c.out.Data = i, data
		if i < len(b) && b[i] == ']' {
			s.i++
			return count, nil
		}
		if more, err := s.next(']'); err != nil || !more {
			return count, err
		}
		i = s.i
	}
}

// element reads one element of any type.
func (c *column) element(s *scanner) error {
	switch t := c.spec.DType; t {
	case Float32, Float64, Float16, BFloat16:
		return c.float(s)
	case Int8, Int16, Int32, Int64:
		return c.signed(s)
	case Uint8, Uint16, Uint32, Uint64:
		return c.unsigned(s)
	case Bool:
		switch {
		case s.literal("true"):
			c.out.Data = append(c.out.Data, 1)
		case s.literal("false"):
			c.out.Data = append(c.out.Data, 0)
		default:
			return c.unexpected(s, "true or false")
		}
	case String:
		return c.str(s)
	}
	return nil
}

func (c *column) unexpected(s *scanner, wanted string) error {
	return fmt.Errorf("expected %s for %s, found %s", wanted, c.spec.DType, s.found())
}

func (c *column) float(s *scanner) error {
	bits := 64
	if c.spec.DType == Float32 {
		bits = 32
	}
	v, ok := s.float(bits)
	if !ok {
		return c.unexpected(s, "a number")
	}
	switch c.spec.DType {
	case Float32:
		c.out.Data = binary.NativeEndian.AppendUint32(c.out.Data, math.Float32bits(float32(v)))
	case Float64:
		c.out.Data = binary.NativeEndian.AppendUint64(c.out.Data, math.Float64bits(v))
	case Float16:
		c.out.Data = binary.NativeEndian.AppendUint16(c.out.Data, narrow(v, halfExponent, halfMantissa))
	case BFloat16:
		c.out.Data = binary.NativeEndian.AppendUint16(c.out.Data, narrow(v, bfloatExponent, bfloatMantissa))
	}
	return nil
}

func (c *column) signed(s *scanner) error {
	before := *s
	text, integer := s.number()
	if !integer {
		return c.unexpected(&before, "an integer")
	}
	v, err := strconv.ParseInt(text, 10, 8*c.spec.DType.Size())
	if err != nil {
		return fmt.Errorf("%s is out of the range of %s", shorten(text), c.spec.DType)
	}
	c.append(uint64(v))
	return nil
}

func (c *column) unsigned(s *scanner) error {
	before := *s
	text, integer := s.number()
	if !integer {
		return c.unexpected(&before, "an integer")
	}
	v, err := strconv.ParseUint(text, 10, 8*c.spec.DType.Size())
	if err != nil && text != "-0" {
		return fmt.Errorf("%s is out of the range of %s", shorten(text), c.spec.DType)
	}
	c.append(v)
	return nil
}

// append stores an integer in the size of the column's type.
func (c *column) append(v uint64) {
	c.out.Data = appendSized(c.out.Data, c.spec.DType.Size(), v)
}

// appendSized appends the low bytes of v, as many as size says.
func appendSized(dst []byte, size int, v uint64) []byte {
	switch size {
	case 1:
		return append(dst, byte(v))
	case 2:
		return binary.NativeEndian.AppendUint16(dst, uint16(v))
	case 4:
		return binary.NativeEndian.AppendUint32(dst, uint32(v))
	}
	return binary.NativeEndian.AppendUint64(dst, v)
}

func (c *column) str(s *scanner) error {
	var text []byte
	var err error
	switch {
	case s.peek() == '"':
		text, err = s.str()
	case s.peek() == '{' && s.isBase64():
		text, err = s.base64()
	default:
		return c.unexpected(s, `a string or {"b64": "…"}`)
	}
	if err != nil {
		return err
	}
	c.out.Strings = append(c.out.Strings, text)
	return nil
}

// checkShape holds the shape of an instance to what the signature says.
func (c *column) checkShape() error {
	if c.spec.UnknownRank {
		return nil
	}
	want := c.spec.Shape
	if !c.whole {
		if len(want) == 0 {
			return fmt.Errorf("the model takes a single value for all instances, which instances cannot carry")
		}
		want = want[1:]
	}
	fits := len(want) == c.rank
	for i := 0; fits && i < c.rank; i++ {
		fits = want[i] < 0 || want[i] == int64(c.dims[i])
	}
	if !fits {
		return fmt.Errorf("the value has the shape %s, the model takes %s", showShape(c.dims[:c.rank]), showShape(want))
	}
	return nil
}

// tensor gives the column when all rows are in.
func (c *column) tensor() (*Tensor, error) {
	shape := make([]int64, 0, 1+c.rank)
	if !c.whole {
		shape = append(shape, int64(c.rows))
	}
	for _, d := range c.dims[:c.rank] {
		shape = append(shape, int64(d))
	}
	if want := c.spec.Shape; !c.whole && !c.spec.UnknownRank && want[0] >= 0 && want[0] != shape[0] && !c.anyRows {
		return nil, invalid("the model takes exactly %d instances in input %s, the request has %d", want[0], c.name, c.rows)
	}
	c.out.Shape = shape
	if have := len(c.out.Strings) + len(c.out.Data)/max(c.spec.DType.Size(), 1); have != c.out.Len() {
		return nil, ml.Errorf(ml.Internal, "input %s: read %d elements for the shape %v", c.name, have, shape)
	}
	return &c.out, nil
}

// showShape writes a shape, with ? for a dimension that is not fixed.
func showShape[T int | int64](shape []T) string {
	b := []byte{'['}
	for i, d := range shape {
		if i > 0 {
			b = append(b, ", "...)
		}
		if d < 0 {
			b = append(b, '?')
		} else {
			b = strconv.AppendInt(b, int64(d), 10)
		}
	}
	return string(append(b, ']'))
}
