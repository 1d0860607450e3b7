// Package tfserving is TensorFlow Serving's REST API over the models of one
// project: predict, status and metadata under /v1/models/. Errors are
// {"error": "message"} with the HTTP status that TensorFlow Serving gives. The same
// over gRPC are the services of [NewGRPC].
//
// A model's versions have names there and numbers here: version N is the one that
// is called N or vN. A request that names neither version nor label gets the
// model's default version, so that versions.setDefault means the same to every
// client; TensorFlow Serving would take the highest number. A label L stands for
// the READY version that has a label with the key L.
package tfserving
