package handover

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/serving/frame"
)

// Answer is an HTTP/1.1 answer but for its body.
type Answer struct {
	Status      int
	ContentType string
	// Headers are further ones, whole lines.
	Headers []byte
	Length  int
	// Last closes the connection behind the answer.
	Last bool
}

// HeadRoom is the most bytes of an answer's head.
const HeadRoom = 512

// AppendHead appends the answer's head as net/http would write it.
func (a *Answer) AppendHead(dst []byte, now time.Time) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(a.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(a.Status)...)
	dst = append(dst, "\r\nContent-Type: "...)
	dst = append(dst, a.ContentType...)
	dst = append(dst, "\r\n"...)
	dst = append(dst, a.Headers...)
	dst = append(dst, "Date: "...)
	dst = append(dst, date(now)...)
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(a.Length), 10)
	if a.Last {
		dst = append(dst, "\r\nConnection: close"...)
	}
	return append(dst, "\r\n\r\n"...)
}

// stamp is a Date header's value, good for one second.
type stamp struct {
	second int64
	text   string
}

var lastStamp atomic.Pointer[stamp]

func date(now time.Time) string {
	s := lastStamp.Load()
	if s == nil || s.second != now.Unix() {
		s = &stamp{now.Unix(), now.UTC().Format(http.TimeFormat)}
		lastStamp.Store(s)
	}
	return s.text
}

// AppendError appends a whole answer that is an error of what surrounds a
// prediction, in the form of the method's API.
func AppendError(dst []byte, method frame.Method, err error, last bool) []byte {
	body, status := rest.AppendError(nil, err)
	a := Answer{Status: status, ContentType: "application/json; charset=UTF-8", Headers: []byte("X-Content-Type-Options: nosniff\r\n"), Last: last}
	if method == frame.TFServing {
		body = rest.ErrorString(rest.Object(err).Error.Message)
		a.ContentType, a.Headers = "application/json", nil
	}
	h := http.Header{}
	if rest.SetRetryAfter(h, status); len(h) > 0 {
		a.Headers = append(a.Headers, "Retry-After: "+h.Get("Retry-After")+"\r\n"...)
	}
	a.Length = len(body)
	return append(a.AppendHead(dst, time.Now()), body...)
}

// ErrTooMany is for a request over the bound of those that a version may have in
// flight.
func ErrTooMany(max int) error {
	return ml.Errorf(ml.ResourceExhausted, "The version has %d requests in flight, as many as it may; try again.", max)
}

// ErrLate is for a request that was not answered in time; cause may be nil.
func ErrLate(cause error) error {
	return &ml.Error{Kind: ml.DeadlineExceeded, Message: "The prediction took longer than it may.", Err: cause}
}

// ErrDied is what the client of a request is told whose worker died.
func ErrDied(cause error) error {
	return &ml.Error{Kind: ml.Unavailable, Message: "The version's worker ended before it had answered; try again.", Err: cause}
}
