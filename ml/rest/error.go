package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/rs/zerolog"

	"hearth/ml"
)

// statuses by kind; a kind that is missing here is a 500.
var statuses = map[ml.Kind]int{
	ml.OK:                 http.StatusOK,
	ml.Canceled:           499,
	ml.InvalidArgument:    http.StatusBadRequest,
	ml.DeadlineExceeded:   http.StatusGatewayTimeout,
	ml.NotFound:           http.StatusNotFound,
	ml.AlreadyExists:      http.StatusConflict,
	ml.PermissionDenied:   http.StatusForbidden,
	ml.ResourceExhausted:  http.StatusTooManyRequests,
	ml.FailedPrecondition: http.StatusBadRequest,
	ml.Aborted:            http.StatusConflict,
	ml.OutOfRange:         http.StatusBadRequest,
	ml.Unimplemented:      http.StatusNotImplemented,
	ml.Unavailable:        http.StatusServiceUnavailable,
	ml.Unauthenticated:    http.StatusUnauthorized,
}

// Status gives the HTTP status of a kind.
func Status(k ml.Kind) int {
	if s, ok := statuses[k]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// wireError is an error that already has the words, the field and the status
// that the caller will see.
type wireError struct {
	shown  *ml.Error
	status int
}

// Error gives the words that the caller will see.
func (e *wireError) Error() string { return e.shown.Error() }

// Unwrap lets errors.As find the ml.Error.
func (e *wireError) Unwrap() error { return e.shown }

// payloadError blames a field of the payload in words that stand by
// themselves, as Google's front end does. field may be empty.
func payloadError(field, format string, args ...any) error {
	return &wireError{shown: ml.FieldErrorf(field, format, args...), status: http.StatusBadRequest}
}

// TooLarge is the error for a body of more than limit bytes: 413.
func TooLarge(limit int64) error {
	return &wireError{
		shown:  ml.Errorf(ml.InvalidArgument, "Request payload size exceeds the limit: %d bytes.", limit),
		status: http.StatusRequestEntityTooLarge,
	}
}

// ErrorObject is Google's JSON form of an error.
type ErrorObject struct {
	Error ErrorBody `json:"error"`
}

// ErrorBody is what an [ErrorObject] says. Code is the HTTP status, Status the
// name of the google.rpc code.
type ErrorBody struct {
	Code    int          `json:"code"`
	Message string       `json:"message"`
	Status  string       `json:"status"`
	Details []BadRequest `json:"details,omitempty"`
}

// BadRequest is the detail that names the fields at fault.
type BadRequest struct {
	Type            string           `json:"@type"`
	FieldViolations []FieldViolation `json:"fieldViolations"`
}

// FieldViolation says what is wrong with one field.
type FieldViolation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

// Object gives the JSON form of err. Errors that are not ours are INTERNAL
// and say nothing of their cause.
func Object(err error) ErrorObject {
	var wire *wireError
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &wire):
		return object(wire.shown, wire.status, wire.shown.Message)
	case errors.As(err, &tooBig):
		return Object(TooLarge(tooBig.Limit))
	}
	e := Visible(err)
	message := e.Message
	if e.Field != "" {
		message = fmt.Sprintf("Field: %s Error: %s", e.Field, e.Message)
	}
	return object(e, Status(e.Kind), message)
}

// Visible finds what may be shown of err, which is not nil.
func Visible(err error) *ml.Error {
	var e *ml.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return ml.Errorf(ml.Canceled, "The request was cancelled.")
	case errors.Is(err, context.DeadlineExceeded):
		return ml.Errorf(ml.DeadlineExceeded, "The deadline of the request has passed.")
	}
	return &ml.Error{Kind: ml.Internal, Message: "Internal error encountered.", Err: err}
}

func object(e *ml.Error, status int, message string) ErrorObject {
	o := ErrorObject{ErrorBody{Code: status, Message: message, Status: e.Kind.String()}}
	if e.Field != "" {
		o.Error.Details = []BadRequest{{
			Type:            "type.googleapis.com/google.rpc.BadRequest",
			FieldViolations: []FieldViolation{{Field: e.Field, Description: e.Message}},
		}}
	}
	return o
}

// WriteError answers with err in Google's JSON form. Errors of the server
// itself (status 500) go to the log of the request's context, cause included.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	o := Object(err)
	if o.Error.Code == http.StatusInternalServerError {
		zerolog.Ctx(r.Context()).Error().Err(err).Str("method", r.Method).Str("path", r.URL.Path).Msg("request ended with an internal error")
	}
	SetRetryAfter(w.Header(), o.Error.Code)
	writeJSON(w, r, o.Error.Code, o)
}

// AppendError appends what [WriteError] writes as its body, and gives the status.
func AppendError(dst []byte, err error) (body []byte, status int) {
	o := Object(err)
	text, encodeErr := encode(o, true)
	if encodeErr != nil {
		// An ErrorObject always has a JSON form.
		panic(encodeErr)
	}
	return append(dst, text...), o.Error.Code
}

// ErrorString is the form that errors have where a string is all there is of them:
// {"error": message}.
func ErrorString(message string) []byte {
	b, err := json.Marshal(map[string]string{"error": message})
	if err != nil {
		// A map of strings always has a JSON form.
		panic(err)
	}
	return b
}

// SetRetryAfter says when to come again, where an answer of the status means that
// it may well be different then.
func SetRetryAfter(h http.Header, status int) {
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1") // seconds
	}
}
