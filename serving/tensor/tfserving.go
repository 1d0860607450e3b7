package tensor

import "hearth/ml"

// tfServing is the dialect of TensorFlow Serving's REST API.
var tfServing = dialect{choose: selectNamed, columnar: true, everyInput: true, open: true}

// selectNamed gives the named signature, [DefaultSignature] for an empty name.
func selectNamed(signatures map[string]*Signature, name string) (*Signature, error) {
	if name == "" {
		name = DefaultSignature
	}
	if s, ok := signatures[name]; ok {
		return s, nil
	}
	return nil, invalid("Serving signature key %q was not found. The model has: %s.", shorten(name), listed(signatures))
}

// DecodeTFServing reads the body of a predict request of TensorFlow Serving's
// REST API: rows under "instances", or whole tensors under "inputs", and perhaps a
// "signature_name". Other members, and what follows the object, are ignored.
// Every error is an INVALID_ARGUMENT that says what does not fit, and where.
func DecodeTFServing(body []byte, signatures map[string]*Signature) (Request, error) {
	if r, ok := tfServing.decodeOnce(body, signatures); ok {
		return r, nil
	}
	m, err := tfServing.findMembers(body)
	switch {
	case err != nil:
		return Request{}, invalid("JSON Parse error: %v", err)
	case m.instances >= 0 && m.inputs >= 0:
		return Request{}, invalid(`the request has both "instances" and "inputs"; send rows in the one or whole tensors in the other`)
	case m.instances < 0 && m.inputs < 0:
		return Request{}, invalid(`the request has neither "instances" nor "inputs"`)
	}
	signature, err := selectNamed(signatures, m.signature)
	if err != nil {
		return Request{}, err
	}
	var r Request
	if m.inputs >= 0 {
		r, _, err = tfServing.inputs(scanner{body, m.inputs}, signature)
	} else {
		r, _, err = tfServing.instances(scanner{body, m.instances}, signature)
	}
	return r, err
}

// inputs reads whole tensors: an object of all inputs, or the one input's value.
// Names that the signature does not have are read over. It gives the place behind.
func (d dialect) inputs(s scanner, signature *Signature) (Request, int, error) {
	r := Request{Signature: signature, Inputs: make(map[string]*Tensor, len(signature.Inputs))}
	read := func(spec Spec) error {
		t, err := readWhole(&s, spec)
		if err != nil {
			return err
		}
		r.Inputs[spec.Name] = t
		return nil
	}
	var err error
	only, single := onlyInput(signature)
	switch isObject := s.space() == '{'; {
	case !isObject && !single:
		return r, 0, invalid("inputs must be an object of the signature's inputs, found %s", s.found())
	case !isObject || single && only.DType == String && s.isBase64():
		err = read(only)
	default:
		err = s.object(func(key string) error {
			spec, ok := signature.Inputs[key]
			if !ok {
				return s.skip()
			}
			return read(spec)
		})
	}
	if err != nil {
		return r, 0, invalid("inputs: %v", err)
	}
	for name := range signature.Inputs {
		if r.Inputs[name] == nil {
			return r, 0, invalid("input %s is missing in inputs", name)
		}
	}
	return r, s.i, nil
}

func onlyInput(signature *Signature) (spec Spec, ok bool) {
	if len(signature.Inputs) == 1 {
		for _, spec = range signature.Inputs {
			return spec, true
		}
	}
	return spec, false
}

// readWhole reads a value that is all of an input.
func readWhole(s *scanner, spec Spec) (*Tensor, error) {
	if !spec.DType.Supported() {
		return nil, unsupported(spec)
	}
	c := newColumn(spec.Name, spec, len(s.b)-s.i)
	c.whole = true
	if err := c.read(s); err != nil {
		return nil, invalid("input %s: %v", spec.Name, err)
	}
	return c.tensor()
}

// AppendTFServing appends the answer of TensorFlow Serving's REST API:
// {"predictions": […]} with a row per index of dimension 0 to a request that held
// instances, {"outputs": …} with whole tensors to others. A signature's only output
// stands there by itself, several as an object.
func AppendTFServing(dst []byte, r Request, outputs []*Tensor) ([]byte, error) {
	names := r.Signature.OutputNames()
	if len(names) != len(outputs) {
		return dst, ml.Errorf(ml.Internal, "signature %s has %d outputs, the run gave %d", r.Signature.Name, len(names), len(outputs))
	}
	if err := checkTypes(names, outputs); err != nil {
		return dst, err
	}
	if r.Instances == 0 {
		return append(appendValues(append(dst, `{"outputs": `...), wholeWriters(names, outputs)), '}'), nil
	}
	rows, err := sameRows(names, outputs)
	if err != nil {
		return dst, err
	}
	writers := newWriters(names, outputs)
	dst = append(dst, `{"predictions": [`...)
	for row := range rows {
		if row > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendValues(dst, writers)
	}
	return append(dst, "]}"...), nil
}

// appendValues writes what the outputs have next: the only one's by itself.
func appendValues(dst []byte, writers []writer) []byte {
	if len(writers) == 1 {
		return writers[0].appendDim(dst, 0)
	}
	return appendNamed(dst, writers)
}

// wholeWriters makes writers of all of each output at once.
func wholeWriters(names []string, outputs []*Tensor) []writer {
	writers := newWriters(names, outputs)
	for i, t := range outputs {
		writers[i].inner = t.Shape
	}
	return writers
}

// sameRows gives the size of dimension 0, which all outputs must have and share.
func sameRows(names []string, outputs []*Tensor) (int64, error) {
	for i, t := range outputs {
		n, ok := t.Rows()
		if !ok {
			return 0, invalid("Tensor name: %s has no shape information: a scalar has no rows; ask with \"inputs\"", names[i])
		}
		if n != outputs[0].Shape[0] {
			return 0, invalid("Tensor name: %s has inconsistent batch size: %d expecting %d", names[i], n, outputs[0].Shape[0])
		}
	}
	if len(outputs) == 0 {
		return 0, nil
	}
	return outputs[0].Shape[0], nil
}
