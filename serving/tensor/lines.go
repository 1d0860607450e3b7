package tensor

import (
	"bytes"
	"fmt"
	"slices"
)

// Rows gathers instances that come one by one, such as the lines of a file, into
// the tensors of one run. It can be used again and again: what it gave before is
// then overwritten.
type Rows struct {
	signature *Signature
	d         instances
	before    []mark
}

// mark is what a column was before a row that turned out to be bad.
type mark struct {
	data, strings, rows, rank int
	dims                      []int
}

// NewRows makes one for a signature; an INVALID_ARGUMENT if JSON cannot carry one
// of its inputs.
func NewRows(signature *Signature) (*Rows, error) {
	d, err := newInstances(scanner{}, signature)
	if err != nil {
		return nil, inWords(err, "Invalid inputs: %s (Error code: 1)")
	}
	return &Rows{signature: signature, d: d, before: make([]mark, len(d.columns))}, nil
}

// Len is how many instances there are.
func (r *Rows) Len() int { return r.d.row }

// Reset forgets all instances and keeps their room.
func (r *Rows) Reset() {
	r.d.row, r.d.hint = 0, 0
	for i := range r.d.columns {
		c := &r.d.columns[i]
		c.out.Data, c.out.Strings, c.out.Shape = c.out.Data[:0], c.out.Strings[:0], nil
		c.dims, c.rank, c.rows = c.dims[:0], -1, 0
	}
}

// Add reads the instance that stands in b from start to before end, and nothing
// else but white space. What follows it in b must be white space or nothing. An
// instance that is bad, or has another shape than those before it, is an
// INVALID_ARGUMENT, and Rows is as it was.
func (r *Rows) Add(b []byte, start, end int) error {
	r.mark()
	err := r.read(b, start, end)
	if err == nil {
		r.d.row++
		return nil
	}
	r.undo()
	return inWords(err, "Invalid inputs: %s (Error code: 1)")
}

func (r *Rows) read(b []byte, start, end int) error {
	// Numbers are read faster where there are bytes behind them; what an instance
	// that is not closed takes of them shows in where it ends.
	r.d.b, r.d.i, r.d.hint = b, start, 0
	if err := r.d.instance(); err != nil {
		return err
	}
	if r.d.i > end {
		return r.d.wrong("it does not end")
	}
	if r.d.b = b[:end]; r.d.space() != 0 || r.d.i < end {
		return r.d.wrong("expected the end of the line, found %s", r.d.found())
	}
	for i := range r.d.columns {
		c := &r.d.columns[i]
		if here := c.rows > r.d.row; !here && (c.rows > 0 || r.d.row == 0 && len(r.d.columns) == 1) {
			return missing(c.name)
		}
	}
	return nil
}

func (r *Rows) mark() {
	for i := range r.d.columns {
		c, m := &r.d.columns[i], &r.before[i]
		m.data, m.strings, m.rows, m.rank = len(c.out.Data), len(c.out.Strings), c.rows, c.rank
		m.dims = append(m.dims[:0], c.dims...)
	}
}

func (r *Rows) undo() {
	for i := range r.d.columns {
		c, m := &r.d.columns[i], &r.before[i]
		c.out.Data, c.out.Strings, c.rows, c.rank = c.out.Data[:m.data], c.out.Strings[:m.strings], m.rows, m.rank
		c.dims = append(c.dims[:0], m.dims...)
	}
}

// Inputs gives the instances as tensors, valid until the next Add or Reset.
func (r *Rows) Inputs() (map[string]*Tensor, error) {
	in := make(map[string]*Tensor, len(r.d.columns))
	for i := range r.d.columns {
		c := &r.d.columns[i]
		if c.rows == 0 {
			continue
		}
		t, err := c.tensor()
		if err != nil {
			return nil, err
		}
		in[c.name] = t
	}
	return in, nil
}

// OnlyString gives the only input of a signature if that takes one string for each
// instance.
func (s *Signature) OnlyString() (Spec, bool) {
	if len(s.Inputs) != 1 {
		return Spec{}, false
	}
	for _, spec := range s.Inputs {
		inner := spec.Shape[min(1, len(spec.Shape)):]
		single := spec.UnknownRank || len(spec.Shape) > 0 && !slices.ContainsFunc(inner, func(d int64) bool { return d > 1 || d == 0 })
		return spec, spec.DType == String && single
	}
	return Spec{}, false
}

// StringRows makes the tensor of an input that [Signature.OnlyString] gave.
func StringRows(spec Spec, values [][]byte) *Tensor {
	shape := []int64{int64(len(values))}
	for range max(0, len(spec.Shape)-1) {
		shape = append(shape, 1)
	}
	return &Tensor{DType: String, Shape: shape, Strings: values}
}

// AppendLines appends the rows of a run's outputs, each as an object on a line of
// its own. outputs come in the order of [Signature.OutputNames]. It is an
// INVALID_ARGUMENT if they have not as many rows as that.
func AppendLines(dst []byte, signature *Signature, outputs []*Tensor, rows int) ([]byte, error) {
	writers, err := rowWriters(signature, outputs, rows)
	if err != nil {
		return dst, err
	}
	for range rows {
		dst = append(appendNamed(dst, writers), '\n')
	}
	return dst, nil
}

// AppendCSV does so with the values parted by commas, in the order of the names of
// the outputs. Values of several elements are JSON, in quotes.
func AppendCSV(dst []byte, signature *Signature, outputs []*Tensor, rows int) ([]byte, error) {
	writers, err := rowWriters(signature, outputs, rows)
	if err != nil {
		return dst, err
	}
	var value []byte
	for range rows {
		for i := range writers {
			if i > 0 {
				dst = append(dst, ',')
			}
			if w := &writers[i]; len(w.inner) == 0 && w.t.DType == String && !w.asB64 {
				value = append(value[:0], w.t.Strings[w.next]...)
				w.next++
			} else {
				value = w.appendDim(value[:0], 0)
			}
			dst = appendField(dst, value)
		}
		dst = append(dst, '\n')
	}
	return dst, nil
}

// appendField writes a value of CSV, in quotes where it needs them.
func appendField(dst, value []byte) []byte {
	if !bytes.ContainsAny(value, ",\"\r\n") {
		return append(dst, value...)
	}
	dst = append(dst, '"')
	for _, c := range value {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func rowWriters(signature *Signature, outputs []*Tensor, rows int) ([]writer, error) {
	names := signature.OutputNames()
	if len(names) != len(outputs) {
		return nil, fmt.Errorf("signature %s has %d outputs, the run gave %d", signature.Name, len(names), len(outputs))
	}
	have, err := countRows(names, outputs)
	if err == nil && have != rows {
		err = invalid("the outputs have %d rows for %d instances", have, rows)
	}
	if err != nil {
		return nil, inWords(err, "There was a problem processing the outputs: %s (Error code: 3)")
	}
	return newWriters(names, outputs), nil
}
