package tensor

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// instances reads the list of instances into one column per input.
type instances struct {
	scanner
	columns []column
	index   map[string]int // only where there are many columns
	hint    int            // the column whose name probably comes next
	row     int            // the instance that is being read
}

// manyColumns is from how many inputs on a map finds a name faster.
const manyColumns = 8

// instances reads the list that starts at s and gives the place behind it.
func (d dialect) instances(s scanner, signature *Signature) (Request, int, error) {
	l, err := newInstances(s, signature)
	if err != nil {
		return Request{}, 0, err
	}
	if err := l.list(); err != nil {
		return Request{}, 0, err
	}
	r := Request{Signature: signature, Inputs: make(map[string]*Tensor, len(l.columns)), Instances: l.row}
	for i := range l.columns {
		c := &l.columns[i]
		if c.rows == 0 && !d.everyInput {
			continue
		}
		if c.rows < l.row {
			return Request{}, 0, missing(c.name)
		}
		t, err := c.tensor()
		if err != nil {
			return Request{}, 0, err
		}
		r.Inputs[c.name] = t
	}
	return r, l.i, nil
}

func newInstances(s scanner, signature *Signature) (instances, error) {
	d := instances{scanner: s}
	for _, name := range slices.Sorted(maps.Keys(signature.Inputs)) {
		spec := signature.Inputs[name]
		if !spec.DType.Supported() {
			return d, unsupported(spec)
		}
		c := newColumn(name, spec, len(s.b)-s.i)
		c.anyRows = signature.FixedBatch() > 0
		d.columns = append(d.columns, c)
	}
	if len(d.columns) >= manyColumns {
		d.index = make(map[string]int, len(d.columns))
		for i := range d.columns {
			d.index[d.columns[i].name] = i
		}
	}
	return d, nil
}

func unsupported(spec Spec) error {
	return invalid("input %s has the type %s, which JSON cannot carry", spec.Name, spec.DType)
}

func missing(name string) error {
	return invalid("Input %s was missing in at least one input instance.", name)
}

// wrong says that the current instance does not fit.
func (d *instances) wrong(format string, args ...any) error {
	return invalid("instance %d: %s", d.row, fmt.Sprintf(format, args...))
}

// list reads all instances.
func (d *instances) list() error {
	if d.space() != '[' {
		return invalid("instances must be a list, found %s", d.found())
	}
	d.i++
	if d.space() == ']' {
		return invalid("instances must not be empty")
	}
	start := d.i
	for more := true; more; d.row++ {
		if d.row == 1 {
			d.reserve(d.i - start)
		}
		if err := d.instance(); err != nil {
			return err
		}
		var err error
		if more, err = d.next(']'); err != nil {
			return d.wrong("%v", err)
		}
	}
	return nil
}

// reserve makes room for all rows, by the length of the first one.
func (d *instances) reserve(length int) {
	rows := (len(d.b) - d.i) / (length + 1) // a comma follows each
	for i := range d.columns {
		d.columns[i].reserve(rows + 1)
	}
}

// instance reads one instance: an object of inputs, or the value itself where
// the signature has a single input.
func (d *instances) instance() error {
	c := d.space()
	if len(d.columns) == 1 {
		only := &d.columns[0]
		if c != '{' || only.out.DType == String && d.isBase64() {
			return d.value(only)
		}
	}
	if c != '{' {
		return d.wrong("expected an object with the inputs %s, found %s", d.names(), d.found())
	}
	start := d.i
	d.i++
	if d.space() == '}' {
		d.i++
		if len(d.columns) == 1 {
			return d.otherNames(start)
		}
		return nil
	}
	for more := true; more; {
		key, err := d.key()
		if err != nil {
			return d.wrong("%v", err)
		}
		column := d.column(key)
		if column == nil {
			if len(d.columns) == 1 {
				return d.otherNames(start)
			}
			return invalid("Unexpected tensor name: %s", shorten(string(key)))
		}
		if err := d.value(column); err != nil {
			return err
		}
		if more, err = d.next('}'); err != nil {
			return d.wrong("%v", err)
		}
	}
	return nil
}

// column finds the column of a name, nil if there is none.
func (d *instances) column(name []byte) *column {
	if d.hint >= len(d.columns) {
		d.hint = 0
	}
	if d.hint < len(d.columns) && string(name) == d.columns[d.hint].name {
		d.hint++
		return &d.columns[d.hint-1]
	}
	i, ok := d.index[string(name)]
	if d.index == nil {
		i = slices.IndexFunc(d.columns, func(c column) bool { return c.name == string(name) })
		ok = i >= 0
	}
	if !ok {
		return nil
	}
	d.hint = i + 1
	return &d.columns[i]
}

// value reads the value of one input.
func (d *instances) value(c *column) error {
	switch {
	case c.rows > d.row:
		return d.wrong("input %s is given twice", c.name)
	case c.rows < d.row:
		return missing(c.name)
	}
	if err := c.read(&d.scanner); err != nil {
		return d.wrong("input %s: %v", c.name, err)
	}
	return nil
}

// otherNames is the error for an object whose names are not that of the single
// input. It lists them, within reason.
func (d *instances) otherNames(start int) error {
	const limit = 20
	var names []string
	again := scanner{d.b, start}
	err := again.object(func(key string) error {
		if len(names) < limit {
			names = append(names, "'"+shorten(key)+"'")
		}
		return again.skip()
	})
	if err != nil {
		return d.wrong("%v", err)
	}
	return invalid("Expected tensor name: %s, got tensor name: [%s].", d.columns[0].name, strings.Join(names, ", "))
}

// names lists the inputs.
func (d *instances) names() string {
	var b bytes.Buffer
	for i := range d.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d.columns[i].name)
	}
	return b.String()
}
