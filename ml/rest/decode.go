package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"unicode/utf8"
)

// Decode reads the JSON body of r into dst, a pointer to a struct of package
// ml or one like it. It is strict in proto3's way: unknown, repeated and
// wrongly spelled names, values of the wrong type, text behind the object and
// invalid UTF-8 are INVALID_ARGUMENT, with the JSON path in the message. An
// empty body is {}, null is an absent field, numbers may be quoted. A body of
// more than limit bytes is the error of [TooLarge].
func Decode(r *http.Request, dst any, limit int64) error {
	body, release, err := ReadBody(r, limit)
	if err != nil {
		return err
	}
	defer release() // what is decoded holds copies
	return DecodeBytes(body, dst)
}

// BodyError says what it means to the caller that reading the request's body
// failed with err: nothing if it did not, 413 if [http.MaxBytesReader] stopped
// it, and else that the body ended too early.
func BodyError(err error) error {
	var tooBig *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooBig):
		return TooLarge(tooBig.Limit)
	}
	return payloadError("", "The request's body ended before all of it was received.")
}

// DecodeBytes is [Decode] of a body that has been read.
func DecodeBytes(body []byte, dst any) error {
	if len(body) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return payloadError("", "Invalid JSON payload received. The text is not valid UTF-8.")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return payloadError("", "Invalid JSON payload received. At byte %d: %v.", syntax.Offset, syntax)
		}
		return payloadError("", "Invalid JSON payload received. %v.", err)
	}
	return decodeValue(whole, reflect.ValueOf(dst).Elem(), "")
}
