package tensor

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"hearth/ml"
)

// The exponent and mantissa bits of the 16-bit float formats.
const (
	halfExponent, halfMantissa     = 5, 10
	bfloatExponent, bfloatMantissa = 8, 7
)

// AppendPredictions appends the answer to a predict request, {"predictions":
// [{alias: value, …}, …]}. outputs come in the order of
// [Signature.OutputNames]; dimension 0 of each is the rows, and a scalar is one
// row. Numbers are the shortest that read back as the same value. Strings are
// text, or {"b64": …} where the alias ends in _bytes or the bytes are not UTF-8.
func AppendPredictions(dst []byte, signature *Signature, outputs []*Tensor) ([]byte, error) {
	names := signature.OutputNames()
	if len(names) != len(outputs) {
		return dst, ml.Errorf(ml.Internal, "signature %s has %d outputs, the run gave %d", signature.Name, len(names), len(outputs))
	}
	rows, err := countRows(names, outputs)
	if err != nil {
		return dst, inWords(err, "There was a problem processing the outputs: %s (Error code: 3)")
	}
	writers := newWriters(names, outputs)
	dst = append(dst, `{"predictions": [`...)
	for row := range rows {
		if row > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendNamed(dst, writers)
	}
	return append(dst, "]}"...), nil
}

// appendNamed writes what each of the outputs has next, as an object.
func appendNamed(dst []byte, writers []writer) []byte {
	dst = append(dst, '{')
	for i := range writers {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, writers[i].prefix...)
		dst = writers[i].appendDim(dst, 0)
	}
	return append(dst, '}')
}

// checkTypes says which output JSON cannot carry.
func checkTypes(names []string, outputs []*Tensor) error {
	for i, t := range outputs {
		if !t.DType.Supported() {
			return invalid("output %s has the type %s, which JSON cannot carry", names[i], t.DType)
		}
	}
	return nil
}

// countRows gives the size of dimension 0, which all outputs must share.
func countRows(names []string, outputs []*Tensor) (int, error) {
	if err := checkTypes(names, outputs); err != nil {
		return 0, err
	}
	rows := 1
	for i, t := range outputs {
		n := 1
		if len(t.Shape) > 0 {
			n = int(t.Shape[0])
		}
		if i > 0 && n != rows {
			return 0, invalid("Bad output from running tensorflow session: outputs had differing sizes in the batch "+
				"(outermost) dimension. %s has %d, %s has %d.", names[0], rows, names[i], n)
		}
		rows = n
	}
	return rows, nil
}

// writer writes the rows of one output, one after another.
type writer struct {
	prefix []byte // the alias and its colon
	t      *Tensor
	inner  []int64 // the shape of a row
	next   int     // the next element
	asB64  bool
}

// newWriters makes a writer of each output's rows.
func newWriters(names []string, outputs []*Tensor) []writer {
	writers := make([]writer, len(outputs))
	for i, t := range outputs {
		writers[i] = newWriter(names[i], t)
	}
	return writers
}

func newWriter(name string, t *Tensor) writer {
	w := writer{t: t, asB64: strings.HasSuffix(name, "_bytes")}
	w.prefix = append(appendString(nil, []byte(name)), ": "...)
	if len(t.Shape) > 0 {
		w.inner = t.Shape[1:]
	}
	return w
}

// appendDim writes what lies under one index of the dimension before.
func (w *writer) appendDim(dst []byte, dim int) []byte {
	if dim == len(w.inner) {
		w.next++
		return w.appendElement(dst, w.next-1)
	}
	dst = append(dst, '[')
	innermost := dim == len(w.inner)-1
	for i := range w.inner[dim] {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if innermost {
			dst = w.appendElement(dst, w.next)
			w.next++
		} else {
			dst = w.appendDim(dst, dim+1)
		}
	}
	return append(dst, ']')
}

// appendElement writes element i.
func (w *writer) appendElement(dst []byte, i int) []byte {
	data := w.t.Data
	order := binary.NativeEndian
	switch w.t.DType {
	case Float32:
		return appendFloat(dst, float64(math.Float32frombits(order.Uint32(data[4*i:]))), 32)
	case Float64:
		return appendFloat(dst, math.Float64frombits(order.Uint64(data[8*i:])), 64)
	case Float16, BFloat16:
		return appendFloat(dst, w.t.Float(i), 32)
	case Int8:
		return strconv.AppendInt(dst, int64(int8(data[i])), 10)
	case Int16:
		return strconv.AppendInt(dst, int64(int16(order.Uint16(data[2*i:]))), 10)
	case Int32:
		return strconv.AppendInt(dst, int64(int32(order.Uint32(data[4*i:]))), 10)
	case Int64:
		return strconv.AppendInt(dst, int64(order.Uint64(data[8*i:])), 10)
	case Uint8:
		return strconv.AppendUint(dst, uint64(data[i]), 10)
	case Uint16:
		return strconv.AppendUint(dst, uint64(order.Uint16(data[2*i:])), 10)
	case Uint32:
		return strconv.AppendUint(dst, uint64(order.Uint32(data[4*i:])), 10)
	case Uint64:
		return strconv.AppendUint(dst, order.Uint64(data[8*i:]), 10)
	case Bool:
		return strconv.AppendBool(dst, data[i] != 0)
	}
	text := w.t.Strings[i]
	if w.asB64 || !utf8.Valid(text) {
		dst = append(dst, `{"b64": "`...)
		dst = base64.StdEncoding.AppendEncode(dst, text)
		return append(dst, `"}`...)
	}
	return appendString(dst, text)
}

// appendFloat writes a float of the given bits so that it stays one for readers
// that tell floats from integers: 1.0, not 1.
func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, bits)
	for _, c := range dst[start:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// appendString writes a JSON string.
func appendString(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\r':
			dst = append(dst, `\r`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}
