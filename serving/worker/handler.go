package worker

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/serving/frame"
	"hearth/serving/tensor"
)

// Handler answers predict requests in every dialect.
type Handler struct {
	signatures map[string]*tensor.Signature
	turns      *turns
	log        zerolog.Logger
}

// NewHandler makes a Handler that keeps at most runs session runs under way;
// more wait their turn. Those that wait for a signature in batches share runs,
// of at most so many rows.
func NewHandler(s Servable, runs int, batches map[*tensor.Signature]int64, log zerolog.Logger) *Handler {
	return &Handler{signatures: s.Signatures(), turns: newTurns(s, runs, batches), log: log}
}

// Answer is what goes to the client.
type Answer struct {
	Status int // of HTTP
	// ContentType of Body, empty for encoded messages.
	ContentType string
	Body        []byte
}

// Predict answers the request in body, in the dialect of method; the answer is
// appended to dst. What is wrong with the request, or with what the model makes of
// it, is part of the answer where the dialect has words for it. The error is for
// what is not the request's fault: DEADLINE_EXCEEDED, or INTERNAL, whose cause
// is in the log. A request whose turn comes only after deadline is not run; the
// zero time is no deadline. body is not used after the return.
func (h *Handler) Predict(method frame.Method, deadline time.Time, body, dst []byte) (a Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error().Any("panic", p).Bytes("stack", debug.Stack()).Msg("predict panicked")
			a, err = Answer{}, errInternal()
		}
	}()
	d := dialects[method]
	if d == nil {
		return h.describe(method, dst)
	}
	a = Answer{Status: http.StatusOK, ContentType: d.contentType}
	a.Body, err = h.predict(d, deadline, body, dst)
	if err == nil {
		return a, nil
	}
	if e, ok := blamesRequest(err); ok {
		if d.blame == nil {
			return Answer{}, e
		}
		a.Body, a.Status = d.blame(dst, e)
		return a, nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Answer{}, ml.Errorf(ml.DeadlineExceeded, "The prediction took longer than it may.")
	}
	h.log.Error().Err(err).Msg("predict ended with an internal error")
	return Answer{}, errInternal()
}

func errInternal() error { return ml.Errorf(ml.Internal, "Internal error encountered.") }

func (h *Handler) predict(d *dialect, deadline time.Time, body, dst []byte) ([]byte, error) {
	request, err := d.decode(body, h.signatures)
	if err != nil {
		return nil, err
	}
	outputs, err := h.turns.run(deadline, request)
	if err != nil {
		return nil, err
	}
	return d.encode(dst, request, outputs)
}

// describe gives the signatures in a dialect.
func (h *Handler) describe(method frame.Method, dst []byte) (Answer, error) {
	switch method {
	case frame.TFServingMetadata:
		return Answer{Status: http.StatusOK, ContentType: jsonType, Body: tensor.AppendSignatures(dst, h.signatures)}, nil
	case frame.GRPCMetadata:
		return Answer{Status: http.StatusOK, Body: tensor.AppendProtoSignatures(dst, h.signatures)}, nil
	}
	return Answer{}, ml.Errorf(ml.Unimplemented, "The version's worker cannot answer this: it is older than the server.")
}

// blamesRequest says whether an error comes of the request or of the graph, and
// gives what the client is told then.
func blamesRequest(err error) (e *ml.Error, ok bool) {
	ok = errors.As(err, &e) && e.Kind != ml.Internal
	return e, ok
}
