package worker

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/serving/frame"
	"hearth/serving/handover"
	"hearth/serving/tensor"
)

// Handler answers predict requests in every dialect.
type Handler struct {
	signatures map[string]*tensor.Signature
	turns      *turns
	log        zerolog.Logger
	// inFlight counts the requests that are under way or wait; max bounds them.
	inFlight, max int64
	stats         stats
}

// NewHandler makes a Handler that takes at most so many requests at a time, and
// keeps at most runs session runs under way; more wait their turn. Those that wait
// for a signature in batches share runs, of at most so many rows.
func NewHandler(s Servable, inFlight, runs int, batches map[*tensor.Signature]int64, log zerolog.Logger) *Handler {
	h := &Handler{signatures: s.Signatures(), log: log, max: int64(inFlight)}
	h.turns = newTurns(s, runs, batches, h.stats.ran)
	return h
}

// Answer is what goes to the client.
type Answer struct {
	Status int // of HTTP
	// ContentType of Body, empty for encoded messages.
	ContentType string
	Body        []byte
	timing      timing
}

// Stats is what the handler has done.
func (h *Handler) Stats() frame.Stats {
	s := h.stats.snapshot()
	s.InFlight = atomic.LoadInt64(&h.inFlight)
	return s
}

// Predict answers the request in body, in the dialect of method; the answer is
// appended to dst. What is wrong with the request, or with what the model makes of
// it, is part of the answer where the dialect has words for it. The error is for
// what is not the request's fault: RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, or
// INTERNAL, whose cause is in the log. A request whose turn comes only after deadline is not run; the
// zero time is no deadline. body is not used after the return.
func (h *Handler) Predict(method frame.Method, deadline time.Time, body, dst []byte) (Answer, error) {
	began := time.Now()
	defer atomic.AddInt64(&h.inFlight, -1)
	var t timing
	a, err := Answer{}, error(nil)
	if atomic.AddInt64(&h.inFlight, 1) > h.max {
		err = handover.ErrTooMany(int(h.max))
	} else {
		a, err = h.answer(method, began, deadline, body, dst, &t)
	}
	status := a.Status
	if err != nil {
		status = rest.Status(ml.KindOf(err))
	}
	h.stats.answered(status, time.Since(began), &t)
	a.timing = t
	return a, err
}

func (h *Handler) answer(method frame.Method, began, deadline time.Time, body, dst []byte, t *timing) (a Answer, err error) {
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
	a.Body, err = h.predict(d, began, deadline, body, dst, t)
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
		return Answer{}, handover.ErrLate(nil)
	}
	h.log.Error().Err(err).Msg("predict ended with an internal error")
	return Answer{}, errInternal()
}

func (h *Handler) predict(d *dialect, began, deadline time.Time, body, dst []byte, t *timing) ([]byte, error) {
	request, err := d.decode(body, h.signatures)
	parsed := time.Now()
	t[parsing] = parsed.Sub(began)
	if err != nil {
		return nil, err
	}
	outputs, started, err := h.turns.run(parsed, deadline, request)
	ran := time.Now()
	if started.IsZero() {
		started = ran
	}
	t[queueing], t[running] = started.Sub(parsed), ran.Sub(started)
	if err != nil {
		return nil, err
	}
	answer, err := d.encode(dst, request, outputs)
	t[formatting] = time.Since(ran)
	return answer, err
}

func errInternal() error { return ml.Errorf(ml.Internal, "Internal error encountered.") }

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
