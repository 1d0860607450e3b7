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

// because is the reason that Cloud Storage gives with an error, where its kind
// alone does not say it. It is the cause of an [ml.Error].
type because string

func (b because) Error() string { return string(b) }

const (
	invalidParameter  because = "invalidParameter"
	parseError        because = "parseError"
	required          because = "required"
	wrongURLForUpload because = "wrongUrlForUpload"
)

// parameterErrorf makes an error about a parameter of the query.
func parameterErrorf(name, format string, args ...any) error {
	e := ml.FieldErrorf(name, format, args...)
	e.Err = invalidParameter
	return e
}

// missingParameter says that something must be named, in the query or the JSON.
func missingParameter(name string) error {
	return &ml.Error{Kind: ml.InvalidArgument, Field: name, Message: "Required", Err: required}
}

// errMethod marks a path that exists but not for this method.
var errMethod = errors.New("method not allowed")

func noSuchMethod(r *http.Request) error {
	return &ml.Error{Kind: ml.InvalidArgument, Message: "The method " + r.Method + " does not go with this path.", Err: errMethod}
}

func noSuchPath(r *http.Request) error {
	return ml.Errorf(ml.NotFound, "There is nothing at %s.", r.URL.EscapedPath())
}

// unimplemented refuses what would change a result here; what ends in a verb.
func unimplemented(what string) error {
	return ml.Errorf(ml.Unimplemented, "%s not implemented in Hearth.", what)
}

// faultOf finds how an error looks to the client, and what it says.
func (c *call) faultOf(err error) (fault, errorItem) {
	read := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	var e *ml.Error
	switch {
	case errors.Is(err, object.ErrNotModified) && read:
		return fault{code: http.StatusNotModified}, errorItem{}
	case errors.Is(err, object.ErrNotModified), errors.Is(err, object.ErrConditionNotMet):
		return fault{http.StatusPreconditionFailed, "conditionNotMet", "PreconditionFailed"},
			errorItem{Message: object.ErrConditionNotMet.Error(), LocationType: "header", Location: "If-Match"}
	case !errors.As(err, &e):
		if c.r.Context().Err() != nil || errors.Is(err, context.Canceled) {
			return faults[ml.Canceled], errorItem{Message: "The client closed the connection."}
		}
		return internalFault, errorItem{Message: "We encountered an internal error. Please try again."}
	case errors.Is(err, errMethod):
		return fault{http.StatusMethodNotAllowed, "httpMethodNotAllowed", "MethodNotAllowed"}, errorItem{Message: e.Message}
	}
	f, ok := faults[e.Kind]
	if !ok {
		f = internalFault
	}
	item := errorItem{Message: e.Message}
	var why because
	if errors.As(err, &why) {
		f.reason = string(why)
	}
	if c.xml && e.Kind == ml.NotFound {
		if _, err := c.Store.Bucket(c.r.Context(), c.bucket); ml.KindOf(err) == ml.NotFound {
			f.xml = "NoSuchBucket"
		}
	}
	switch {
	case why == invalidParameter, why == required:
		item.LocationType, item.Location = "parameter", e.Field
	case e.Kind == ml.Unauthenticated:
		item.LocationType, item.Location = "header", "Authorization"
	}
	return f, item
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
	Message      string `json:"message"`
	Domain       string `json:"domain"`
	Reason       string `json:"reason"`
	LocationType string `json:"locationType,omitempty"`
	Location     string `json:"location,omitempty"`
}

type errorXML struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

// fail answers with an error in the form of the API that was spoken to.
func (c *call) fail(err error) {
	f, item := c.faultOf(err)
	if f.code >= http.StatusInternalServerError && f.code != http.StatusNotImplemented {
		c.Log.Error().Err(err).Str("method", c.r.Method).Str("path", c.r.URL.EscapedPath()).Msg("storage request failed")
	}
	switch {
	case f.code == http.StatusNotModified:
		c.w.WriteHeader(f.code)
	case c.xml:
		b, err := xml.Marshal(errorXML{Code: f.xml, Message: item.Message})
		if err != nil {
			b = nil // a status says enough
		}
		c.write(f.code, "application/xml; charset=UTF-8", append([]byte(xml.Header), b...))
	default:
		item.Domain, item.Reason = "global", f.reason
		c.mask = nil
		c.reply(f.code, errorBody{errorObject{f.code, item.Message, []errorItem{item}}})
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
