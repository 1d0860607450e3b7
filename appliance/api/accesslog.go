package api

import (
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// logAccess returns what is to be called when r has been answered: it writes
// the line of the access log. Queries stay out of it: the id of an upload is a
// credential.
func (s *Server) logAccess(e *zerolog.Event, r *http.Request, w *statusWriter) func() {
	start := time.Now()
	return func() {
		e.Str("method", r.Method).Str("host", r.Host).Str("path", r.URL.Path).
			Stringer("principal", PrincipalFrom(r.Context())).
			Int("status", w.status).Dur("took", time.Since(start)).Msg("request")
	}
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the first final status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status < http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write is an answer of 200 if nothing else was said.
func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// ReadFrom keeps sendfile reachable.
func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return io.Copy(w.ResponseWriter, r)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
