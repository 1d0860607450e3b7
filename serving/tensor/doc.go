// Package tensor holds tensors as a model sees them (element type, shape, flat
// data) and their JSON as clients of the prediction API see it.
//
// [Decode] reads a predict request in one pass straight into flat tensors, one
// per input of a [Signature]; no value is ever held in between.
// [AppendPredictions] writes the answer. Both follow the dialect of AI Platform:
// rows of "instances" in, rows of "predictions" out, each an object keyed by
// output alias. [DecodeTFServing] and [AppendTFServing] do the same in the dialect
// of TensorFlow Serving. [DecodeProto] and [AppendProto] are the messages of its
// gRPC API.
//
// The package is pure Go and knows no TensorFlow beyond the numbers of its
// element types.
//
// Caveats: numeric data is in the byte order of the machine. Strings of a
// decoded tensor may be slices of the request body, so the body must stay
// unchanged as long as they are used.
package tensor
