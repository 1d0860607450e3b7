package tensor

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"hearth/ml"
)

// Field numbers of tensorflow.serving's PredictRequest, PredictResponse, ModelSpec
// and SignatureDefMap, and of the entries of every map.
const (
	requestSpec     = 1
	requestInputs   = 2
	requestFilter   = 3
	responseOutputs = 1
	specSignature   = 3
	mapSignatures   = 1
	entryKey        = 1
	entryValue      = 2
)

// DecodeProto reads an encoded tensorflow.serving.PredictRequest. Of its model_spec
// only the signature's name counts. The tensors share memory with body. Every error
// is an INVALID_ARGUMENT that says what does not fit the signature.
func DecodeProto(body []byte, signatures map[string]*Signature) (Request, error) {
	name, err := protoSignature(body)
	if err != nil {
		return Request{}, err
	}
	signature, err := selectNamed(signatures, name)
	if err != nil {
		return Request{}, err
	}
	r := Request{Signature: signature, Inputs: make(map[string]*Tensor, len(signature.Inputs))}
	room := maxFilled
	f := fields{rest: body}
	for f.next() {
		switch {
		case f.is(requestInputs):
			err = r.addInput(f.content, &room)
		case f.is(requestFilter):
			err = r.addOutput(string(f.content))
		}
		if err != nil {
			return Request{}, err
		}
	}
	if len(r.Inputs) < len(signature.Inputs) {
		for _, name := range slices.Sorted(maps.Keys(signature.Inputs)) {
			if r.Inputs[name] == nil {
				return Request{}, invalid("input %s is missing in inputs", name)
			}
		}
	}
	return r, nil
}

// protoSignature finds the name of the signature, and whether the body is a message
// at all.
func protoSignature(body []byte) (name string, err error) {
	f := fields{rest: body}
	for f.next() {
		if !f.is(requestSpec) {
			continue
		}
		spec := fields{rest: f.content}
		for spec.next() {
			if spec.is(specSignature) {
				name = string(spec.content)
			}
		}
		if spec.err != nil {
			return "", invalid("the request's model_spec is no ModelSpec: %v", spec.err)
		}
	}
	if f.err != nil {
		return "", invalid("the request is no PredictRequest: %v", f.err)
	}
	return name, nil
}

// addInput reads an entry of the map of inputs. A later entry replaces one of the
// same name, as in every map.
func (r *Request) addInput(entry []byte, room *int) error {
	name, value, err := protoEntry(entry)
	if err != nil {
		return invalid("inputs: %v", err)
	}
	spec, ok := r.Signature.Inputs[string(name)]
	if !ok {
		return invalid("the signature %s has no input %q; it has: %s", r.Signature.Name, shorten(string(name)), listed(r.Signature.Inputs))
	}
	t, err := readTensorProto(value, spec, room)
	if err != nil {
		return invalid("input %s: %v", spec.Name, err)
	}
	r.Inputs[spec.Name] = t
	return nil
}

// addOutput takes a name of the output_filter.
func (r *Request) addOutput(name string) error {
	if _, ok := r.Signature.Outputs[name]; !ok {
		return invalid("the signature %s has no output %q; it has: %s", r.Signature.Name, shorten(name), listed(r.Signature.Outputs))
	}
	if !slices.Contains(r.Outputs, name) {
		r.Outputs = append(r.Outputs, name)
	}
	return nil
}

// protoEntry reads an entry of a map of messages. A value in pieces is the pieces
// one behind the other.
func protoEntry(entry []byte) (key, value []byte, err error) {
	f := fields{rest: entry}
	for f.next() {
		switch {
		case f.is(entryKey):
			key = f.content
		case f.is(entryValue) && value == nil:
			value = f.content
		case f.is(entryValue):
			value = slices.Concat(value, f.content)
		}
	}
	return key, value, f.err
}

// AppendProto appends the answer to a request of [DecodeProto], an encoded
// tensorflow.serving.PredictResponse without its model_spec: who runs the model does
// not know what it is called. outputs come in the order of [Signature.OutputNames].
func AppendProto(dst []byte, r Request, outputs []*Tensor) ([]byte, error) {
	names := r.Signature.OutputNames()
	if len(names) != len(outputs) {
		return dst, ml.Errorf(ml.Internal, "signature %s has %d outputs, the run gave %d", r.Signature.Name, len(names), len(outputs))
	}
	for i, t := range outputs {
		if len(r.Outputs) > 0 && !slices.Contains(r.Outputs, names[i]) {
			continue
		}
		if !t.DType.Supported() {
			return dst, invalid("output %s has the type %s, which an answer cannot carry", names[i], t.DType)
		}
		dst = appendOutput(dst, names[i], t)
	}
	return dst, nil
}

// appendOutput appends an entry of the map of outputs.
func appendOutput(dst []byte, name string, t *Tensor) []byte {
	var buf [64]byte
	head := appendTensorHead(buf[:0], t)
	size := sizeTensorProto(t, head)
	entry := sizeBytesField(entryKey, len(name)) + sizeBytesField(entryValue, size)
	dst = slices.Grow(dst, sizeBytesField(responseOutputs, entry))
	dst = protowire.AppendTag(dst, responseOutputs, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(entry))
	dst = appendStringField(dst, entryKey, name)
	dst = protowire.AppendTag(dst, entryValue, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	return appendTensorProto(dst, t, head)
}

// Field numbers of tensorflow.SignatureDef and tensorflow.TensorInfo.
const (
	defInputs  = 1
	defOutputs = 2
	defMethod  = 3

	infoName  = 1
	infoDType = 2
	infoShape = 3
)

// AppendProtoSignatures appends the signatures as an encoded
// tensorflow.serving.SignatureDefMap.
func AppendProtoSignatures(dst []byte, signatures map[string]*Signature) []byte {
	for _, name := range slices.Sorted(maps.Keys(signatures)) {
		s := signatures[name]
		def := appendProtoSpecs(nil, defInputs, s.Inputs)
		def = appendProtoSpecs(def, defOutputs, s.Outputs)
		def = appendStringField(def, defMethod, s.Method)
		dst = appendProtoEntry(dst, mapSignatures, name, def)
	}
	return dst
}

// appendProtoSpecs appends a map of TensorInfo as the field of the number.
func appendProtoSpecs(dst []byte, number protowire.Number, specs map[string]Spec) []byte {
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		spec := specs[name]
		shape := appendDims(nil, spec.Shape)
		if spec.UnknownRank {
			shape = appendVarintField(shape, shapeUnknown, 1)
		}
		info := appendStringField(nil, infoName, spec.Tensor)
		info = appendVarintField(info, infoDType, uint64(spec.DType))
		info = appendBytesField(info, infoShape, shape)
		dst = appendProtoEntry(dst, number, name, info)
	}
	return dst
}

// appendProtoEntry appends an entry of a map of messages.
func appendProtoEntry(dst []byte, number protowire.Number, key string, value []byte) []byte {
	entry := appendBytesField(appendStringField(nil, entryKey, key), entryValue, value)
	return appendBytesField(dst, number, entry)
}
