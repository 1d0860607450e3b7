package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"hearth/ml"
)

// kindOfStatus is for answers that name no google.rpc code, as those of Cloud
// Storage.
var kindOfStatus = map[int]ml.Kind{
	http.StatusBadRequest:                   ml.InvalidArgument,
	http.StatusUnauthorized:                 ml.Unauthenticated,
	http.StatusForbidden:                    ml.PermissionDenied,
	http.StatusNotFound:                     ml.NotFound,
	http.StatusGone:                         ml.NotFound,
	http.StatusConflict:                     ml.AlreadyExists,
	http.StatusPreconditionFailed:           ml.FailedPrecondition,
	http.StatusRequestEntityTooLarge:        ml.InvalidArgument,
	http.StatusRequestedRangeNotSatisfiable: ml.OutOfRange,
	http.StatusTooManyRequests:              ml.ResourceExhausted,
	http.StatusNotImplemented:               ml.Unimplemented,
	http.StatusServiceUnavailable:           ml.Unavailable,
	http.StatusGatewayTimeout:               ml.DeadlineExceeded,
}

// errorObject is the error of Google's APIs in JSON.
type errorObject struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Status  string `json:"status"`
	Details []struct {
		FieldViolations []struct {
			Field string `json:"field"`
		} `json:"fieldViolations"`
	} `json:"details"`
}

// toError gives the typed error; status is the HTTP status that it came with.
func (e errorObject) toError(status int) *ml.Error {
	out := &ml.Error{Kind: kindNamed(e.Status, status), Message: e.Message}
	for _, d := range e.Details {
		for _, v := range d.FieldViolations {
			if out.Field == "" {
				out.Field = v.Field
			}
		}
	}
	return out
}

// decodeError reads an error's body: Google's error object, the bare string of
// a failed prediction, or whatever a stranger at that address answered.
func decodeError(status int, body []byte) error {
	var envelope struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &envelope) == nil {
		var object errorObject
		if json.Unmarshal(envelope.Error, &object) == nil && object.Message != "" {
			return object.toError(status)
		}
		var message string
		if json.Unmarshal(envelope.Error, &message) == nil && message != "" {
			return &ml.Error{Kind: kindNamed("", status), Message: message}
		}
	}
	text, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if len(text) > 200 {
		text = text[:200]
	}
	message := fmt.Sprintf("HTTP status %d %s", status, http.StatusText(status))
	if text != "" {
		message += ": " + text
	}
	return &ml.Error{Kind: kindNamed("", status), Message: message}
}

func kindNamed(name string, status int) ml.Kind {
	for k := ml.Canceled; k <= ml.Unauthenticated; k++ {
		if k.String() == name {
			return k
		}
	}
	if k, ok := kindOfStatus[status]; ok {
		return k
	}
	return ml.Internal
}
