package tfserving

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"hearth/ml"
)

// Field numbers of tensorflow.serving's messages. Every request has its model_spec
// as the first field, so has the answer of GetModelMetadata; descriptor.go has the
// messages as a whole.
const (
	requestSpec  = 1
	responseSpec = 2 // of PredictResponse

	specName      = 1
	specVersion   = 2
	specSignature = 3
	specLabel     = 4

	metadataFields = 2 // of GetModelMetadataRequest
	metadataMap    = 2 // of GetModelMetadataResponse
	wrapped        = 1 // of google.protobuf.Int64Value
	entryKey       = 1
	entryValue     = 2
	anyType        = 1
	anyValue       = 2

	statusVersions = 1
	statusVersion  = 1
	statusState    = 2
	statusStatus   = 3
	statusCode     = 1
	statusMessage  = 2
)

// signatureDef is the only metadata that there is.
const signatureDef = "signature_def"

// defaultSignature is the one that a PredictRequest without a name means.
const defaultSignature = "serving_default"

// spec is a ModelSpec.
type spec struct {
	address
	signature string
	// number is that of the version, where numbered.
	number   int64
	numbered bool
}

// version sets the version by its name, which may not be a number.
func (s *spec) version(name string) { s.number, s.numbered = number(name) }

// answeredBy makes the spec of a request that of its answer.
func (s *spec) answeredBy(version string) {
	s.version(version)
	if s.signature == "" {
		s.signature = defaultSignature
	}
}

// eachField visits the fields of an encoded message that have a number and hold
// bytes, a string, a message, or a number.
func eachField(message []byte, visit func(number protowire.Number, content []byte, value uint64) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return malformed(n)
		}
		message = message[n:]
		var content []byte
		var value uint64
		switch kind {
		case protowire.BytesType:
			content, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(message)
		default:
			n, number = protowire.ConsumeFieldValue(number, kind, message), 0
		}
		if n < 0 {
			return malformed(n)
		}
		message = message[n:]
		if err := visit(number, content, value); err != nil {
			return err
		}
	}
	return nil
}

func malformed(n int) error {
	return ml.Errorf(ml.InvalidArgument, "The request is no message of the method: %v.", protowire.ParseError(n))
}

// readSpec finds the model_spec of a request; it must name a model.
func readSpec(request []byte) (spec, error) {
	var s spec
	err := eachField(request, func(number protowire.Number, content []byte, _ uint64) error {
		if number != requestSpec {
			return nil
		}
		return eachField(content, s.set)
	})
	if err == nil && s.model == "" {
		err = ml.Errorf(ml.InvalidArgument, "The request names no model: its model_spec has no name.")
	}
	return s, err
}

// set takes a field of the spec. Of version and label the last one counts.
func (s *spec) set(number protowire.Number, content []byte, _ uint64) error {
	switch number {
	case specName:
		s.model = string(content)
	case specSignature:
		s.signature = string(content)
	case specLabel:
		s.label, s.address.version = string(content), ""
	case specVersion:
		n := int64(0)
		err := eachField(content, func(number protowire.Number, _ []byte, value uint64) error {
			if number == wrapped {
				n = int64(value)
			}
			return nil
		})
		s.label, s.address.version = "", strconv.FormatInt(n, 10)
		return err
	}
	return nil
}

// size is more than the spec takes.
func (s *spec) size() int { return 64 + len(s.model) + len(s.signature) }

// append appends the spec as a field of the number.
func (s *spec) append(dst []byte, number protowire.Number) []byte {
	var buf [128]byte
	b := appendText(buf[:0], specName, s.model)
	if s.numbered {
		b = appendMessage(b, specVersion, appendNumber(nil, wrapped, uint64(s.number)))
	}
	if s.signature != "" {
		b = appendText(b, specSignature, s.signature)
	}
	return appendMessage(dst, number, b)
}

// checkMetadataFields holds a GetModelMetadataRequest to the metadata that there is.
func checkMetadataFields(request []byte) error {
	asked := false
	err := eachField(request, func(number protowire.Number, content []byte, _ uint64) error {
		if number != metadataFields {
			return nil
		}
		asked = true
		if string(content) != signatureDef {
			return ml.Errorf(ml.InvalidArgument, "There is no metadata %q; there is %s.", content, signatureDef)
		}
		return nil
	})
	if err == nil && !asked {
		err = ml.Errorf(ml.InvalidArgument, "The request has no metadata_field; there is %s.", signatureDef)
	}
	return err
}

// appendMetadata appends the map of metadata with its only entry, an encoded
// SignatureDefMap.
func appendMetadata(dst, signatures []byte) []byte {
	boxed := appendMessage(appendText(nil, anyType, "type.googleapis.com/tensorflow.serving.SignatureDefMap"), anyValue, signatures)
	entry := appendMessage(appendText(nil, entryKey, signatureDef), entryValue, boxed)
	return appendMessage(dst, metadataMap, entry)
}

// stateNumbers are the values of ModelVersionStatus.State.
var stateNumbers = map[string]uint64{"UNKNOWN": 0, "START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}

// appendStatus appends a version to a GetModelStatusResponse. One whose name is no
// number has none there.
func appendStatus(dst []byte, s versionStatus) []byte {
	var b []byte
	if n, ok := number(s.Version); ok {
		b = appendNumber(b, statusVersion, uint64(n))
	}
	b = appendNumber(b, statusState, stateNumbers[s.State])
	var status []byte
	if s.Status.Message != "" {
		status = appendText(appendNumber(nil, statusCode, uint64(ml.Unknown)), statusMessage, s.Status.Message)
	}
	return appendMessage(dst, statusVersions, appendMessage(b, statusStatus, status))
}

func appendMessage(dst []byte, number protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, number, protowire.BytesType), message)
}

func appendText(dst []byte, number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(dst, number, protowire.BytesType), text)
}

func appendNumber(dst []byte, number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(dst, number, protowire.VarintType), v)
}
