package worker

import (
	"net/http"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/serving/frame"
	"hearth/serving/tensor"
)

// dialect is how one kind of client asks for predictions and is answered.
type dialect struct {
	// contentType of the answers, empty where there is no HTTP around them.
	contentType string
	decode      func(body []byte, signatures map[string]*tensor.Signature) (tensor.Request, error)
	// encode appends the answer to dst.
	encode func(dst []byte, r tensor.Request, outputs []*tensor.Tensor) ([]byte, error)
	// blame appends the answer to a request that is itself at fault, or that the
	// graph refused, and gives its HTTP status. Where it is nil such errors are
	// given on like others.
	blame func(dst []byte, e *ml.Error) ([]byte, int)
}

// jsonType is the content type of most answers.
const jsonType = "application/json"

// dialects by the frame method of their predict.
var dialects = map[frame.Method]*dialect{
	frame.AIPlatform: {
		contentType: jsonType,
		decode:      tensor.Decode,
		encode: func(dst []byte, r tensor.Request, outputs []*tensor.Tensor) ([]byte, error) {
			return tensor.AppendPredictions(dst, r.Signature, outputs)
		},
		// A string, where the rest of Google's API has an object.
		blame: func(dst []byte, e *ml.Error) ([]byte, int) {
			return append(dst, rest.ErrorString("Prediction failed: "+e.Message)...), http.StatusBadRequest
		},
	},
	frame.TFServing: {
		contentType: jsonType,
		decode:      tensor.DecodeTFServing,
		encode:      tensor.AppendTFServing,
		blame: func(dst []byte, e *ml.Error) ([]byte, int) {
			return append(dst, rest.ErrorString(e.Message)...), rest.Status(e.Kind)
		},
	},
	frame.GRPCPredict: {
		decode: tensor.DecodeProto,
		encode: tensor.AppendProto,
	},
}
