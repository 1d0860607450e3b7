package tensor

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
)

// AppendSignatures appends the signatures as the metadata of TensorFlow Serving's
// REST API shows them: the JSON form of a SignatureDefMap.
func AppendSignatures(dst []byte, signatures map[string]*Signature) []byte {
	dst = append(dst, `{"signature_def": {`...)
	for i, name := range slices.Sorted(maps.Keys(signatures)) {
		s := signatures[name]
		dst = appendKey(dst, i, name)
		dst = append(dst, `{"inputs": {`...)
		dst = appendSpecs(dst, s.Inputs)
		dst = append(dst, `}, "outputs": {`...)
		dst = appendSpecs(dst, s.Outputs)
		dst = append(dst, `}, "method_name": `...)
		dst = append(appendString(dst, []byte(s.Method)), '}')
	}
	return append(dst, "}}"...)
}

func appendSpecs(dst []byte, specs map[string]Spec) []byte {
	for i, name := range slices.Sorted(maps.Keys(specs)) {
		spec := specs[name]
		dst = appendKey(dst, i, name)
		dst = append(dst, `{"dtype": `...)
		dst = appendString(dst, []byte(spec.DType.String()))
		dst = append(dst, `, "tensor_shape": {"dim": [`...)
		for j, d := range spec.Shape {
			if j > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(dst, `{"size": "`...)
			dst = strconv.AppendInt(dst, d, 10)
			dst = append(dst, `", "name": ""}`...)
		}
		dst = append(dst, `], "unknown_rank": `...)
		dst = strconv.AppendBool(dst, spec.UnknownRank)
		dst = append(dst, `}, "name": `...)
		dst = append(appendString(dst, []byte(spec.Tensor)), '}')
	}
	return dst
}

// appendKey writes the name of member i of an object.
func appendKey(dst []byte, i int, name string) []byte {
	if i > 0 {
		dst = append(dst, ", "...)
	}
	return append(appendString(dst, bytes.ToValidUTF8([]byte(name), []byte("\uFFFD"))), ": "...)
}
