package ml

import (
	"errors"
	"fmt"
)

// Kind is a google.rpc.Code: what went wrong, in the terms of the API.
// Only ml/rest turns it into an HTTP status.
type Kind int

// The codes of google.rpc, by their numbers on the wire.
const (
	OK                 Kind = 0
	Canceled           Kind = 1
	Unknown            Kind = 2
	InvalidArgument    Kind = 3
	DeadlineExceeded   Kind = 4
	NotFound           Kind = 5
	AlreadyExists      Kind = 6
	PermissionDenied   Kind = 7
	ResourceExhausted  Kind = 8
	FailedPrecondition Kind = 9
	Aborted            Kind = 10
	OutOfRange         Kind = 11
	Unimplemented      Kind = 12
	Internal           Kind = 13
	Unavailable        Kind = 14
	DataLoss           Kind = 15
	Unauthenticated    Kind = 16
)

var kindNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// String gives the code's name as google.rpc spells it, for example NOT_FOUND.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("CODE_%d", int(k))
	}
	return kindNames[k]
}

// Error is an error that is safe to show to whoever asked. Message says what
// is wrong and, where we know it, what to do about it. Field is the JSON path
// of the request field at fault, if one is. Err is the cause, for the log; it
// is never shown.
type Error struct {
	Kind    Kind
	Message string
	Field   string
	Err     error
}

// Error gives the message, with the cause behind it.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of a kind. A %w in the format becomes part of the
// message as any other value would; use [Error.Err] to keep a cause private.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// FieldErrorf makes an INVALID_ARGUMENT that names the field at fault.
func FieldErrorf(field, format string, args ...any) *Error {
	return &Error{Kind: InvalidArgument, Field: field, Message: fmt.Sprintf(format, args...)}
}

// KindOf gives the kind of the first [Error] in err's chain, OK for nil and
// Internal for an error that is not ours.
func KindOf(err error) Kind {
	if err == nil {
		return OK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
