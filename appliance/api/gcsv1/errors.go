package gcsv1

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"

	"hearth/ml"
	"hearth/storage/object"
)

// statusCancelled is what Cloud Storage answers where the client gave up.
const statusCancelled = 499

// fault is how one kind of error looks on the wire.
type fault struct {
	code   int
	reason string
	// xml is the code of the XML API.
	xml string
}

var faults = map[ml.Kind]fault{
	ml.Canceled:           {statusCancelled, "cancelled", "RequestCancelled"},
	ml.InvalidArgument:    {http.StatusBadRequest, "invalid", "InvalidArgument"},
	ml.DeadlineExceeded:   {http.StatusGatewayTimeout, "backendError", "RequestTimeout"},
	ml.NotFound:           {http.StatusNotFound, "notFound", "NoSuchKey"},
	ml.AlreadyExists:      {http.StatusConflict, "conflict", "BucketAlreadyOwnedByYou"},
	ml.PermissionDenied:   {http.StatusForbidden, "forbidden", "AccessDenied"},
	ml.ResourceExhausted:  {http.StatusForbidden, "quotaExceeded", "QuotaExceeded"},
	ml.FailedPrecondition: {http.StatusConflict, "conflict", "Conflict"},
	ml.OutOfRange:         {http.StatusRequestedRangeNotSatisfiable, "requestedRangeNotSatisfiable", "InvalidRange"},
	ml.Unimplemented:      {http.StatusNotImplemented, "notImplemented", "NotImplemented"},
	ml.Unavailable:        {http.StatusServiceUnavailable, "backendError", "ServiceUnavailable"},
	ml.Unauthenticated:    {http.StatusUnauthorized, "required", "AuthenticationRequired"},
}

var internalFault = fault{http.StatusInternalServerError, "backendError", "InternalError"}

// errMethod marks a path that exists but not for this method.
var errMethod = errors.New("method not allowed")

func noSuchMethod(r *http.Request) error {
	return &ml.Error{Kind: ml.InvalidArgument, Message: "The method " + r.Method + " does not go with this path.", Err: errMethod}
}

func noSuchPath(r *http.Request) error {
	return ml.Errorf(ml.NotFound, "There is nothing at %s.", r.URL.EscapedPath())
}

func unimplemented(what string) error {
	return ml.Errorf(ml.Unimplemented, "%s is not implemented in Hearth.", what)
}

// faultOf finds how an error looks to the client, and what it says.
func (c *call) faultOf(err error) (fault, string) {
	read := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	var e *ml.Error
	switch {
	case errors.Is(err, object.ErrNotModified) && read:
		return fault{code: http.StatusNotModified}, ""
	case errors.Is(err, object.ErrNotModified), errors.Is(err, object.ErrConditionNotMet):
		return fault{http.StatusPreconditionFailed, "conditionNotMet", "PreconditionFailed"}, object.ErrConditionNotMet.Error()
	case errors.Is(err, errMethod):
		return fault{http.StatusMethodNotAllowed, "httpMethodNotAllowed", "MethodNotAllowed"}, err.Error()
	case !errors.As(err, &e):
		if c.r.Context().Err() != nil || errors.Is(err, context.Canceled) {
			return faults[ml.Canceled], "The client closed the connection."
		}
		return internalFault, "We encountered an internal error. Please try again."
	}
	f, ok := faults[e.Kind]
	if !ok {
		f = internalFault
	}
	if e.Kind == ml.InvalidArgument && e.Message == "Required" {
		f.reason = "required"
	}
	return f, e.Message
}

type errorBody struct {
	Error errorObject `json:"error"`
}

type errorObject struct {
	Code    int         `json:"code"`
	Message string      `json:"message"`
	Errors  []errorItem `json:"errors"`
}

type errorItem struct {
	Message string `json:"message"`
	Domain  string `json:"domain"`
	Reason  string `json:"reason"`
}

type errorXML struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

// fail answers with an error in the form of the API that was spoken to.
func (c *call) fail(err error) {
	f, message := c.faultOf(err)
	if f.code >= http.StatusInternalServerError && f.code != http.StatusNotImplemented {
		c.Log.Error().Err(err).Str("method", c.r.Method).Str("path", c.r.URL.EscapedPath()).Msg("storage request failed")
	}
	switch {
	case f.code == http.StatusNotModified:
		c.w.WriteHeader(f.code)
	case c.xml:
		b, err := xml.Marshal(errorXML{Code: f.xml, Message: message})
		if err != nil {
			b = nil // a status says enough
		}
		c.write(f.code, "application/xml; charset=UTF-8", append([]byte(xml.Header), b...))
	default:
		c.reply(f.code, errorBody{errorObject{f.code, message, []errorItem{{message, "global", f.reason}}}})
	}
}

// write answers with a body. A HEAD request gets only the headers.
func (c *call) write(code int, contentType string, body []byte) {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(code)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body) // a client that has gone needs no answer
	}
}
