// Package rest is how Google's APIs speak HTTP, once for all of them: routes
// with variables and custom verbs ([Mux]), handlers that return a value or an
// error, strict JSON that blames the field at fault ([Decode]), the common
// query parameters, page tokens, and the error object ([WriteError]). It is the
// only place where an [hearth/ml.Kind] becomes an HTTP status.
//
// Errors are logged through the zerolog logger of the request's context, if it
// has one. An error that is not an ml.Error is INTERNAL: the caller gets a fixed
// sentence, the log the cause.
//
// Names in messages are those of the JSON, as in trainingInput.scaleTier.
package rest
