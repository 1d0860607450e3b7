package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/serving/tensor"
)

// Handler answers predict requests in AI Platform's dialect.
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

// Predict answers the request in body. It appends the answer to dst and gives
// it with its HTTP status; the answer is JSON. What is wrong with the request,
// or with what the model makes of it, is part of the answer. The error is for
// what is not the request's fault: DEADLINE_EXCEEDED, or INTERNAL, whose cause
// is in the log. A request whose turn comes only after deadline is not run; the
// zero time is no deadline. body is not used after the return.
func (h *Handler) Predict(deadline time.Time, body, dst []byte) (answer []byte, status int, err error) {
	start := len(dst)
	defer func() {
		if p := recover(); p != nil {
			h.log.Error().Any("panic", p).Bytes("stack", debug.Stack()).Msg("predict panicked")
			answer, status, err = dst[:start], 0, ml.Errorf(ml.Internal, "Internal error encountered.")
		}
	}()
	answer, err = h.predict(deadline, body, dst)
	if err == nil {
		return answer, http.StatusOK, nil
	}
	if message, ok := blamesRequest(err); ok {
		return appendFailure(dst[:start], message), http.StatusBadRequest, nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return dst[:start], 0, ml.Errorf(ml.DeadlineExceeded, "The prediction took longer than it may.")
	}
	h.log.Error().Err(err).Msg("predict ended with an internal error")
	return dst[:start], 0, ml.Errorf(ml.Internal, "Internal error encountered.")
}

func (h *Handler) predict(deadline time.Time, body, dst []byte) ([]byte, error) {
	request, err := tensor.Decode(body, h.signatures)
	if err != nil {
		return nil, err
	}
	outputs, err := h.turns.run(deadline, request)
	if err != nil {
		return nil, err
	}
	return tensor.AppendPredictions(dst, request.Signature, outputs)
}

// blamesRequest says whether an error comes of the request or of the graph, and
// gives what the client is told then.
func blamesRequest(err error) (message string, ok bool) {
	var e *ml.Error
	if !errors.As(err, &e) || e.Kind == ml.Internal {
		return "", false
	}
	return e.Message, true
}

// appendFailure appends the error form that belongs to predict alone: a string,
// where the rest of the API has an object.
func appendFailure(dst []byte, message string) []byte {
	b, err := json.Marshal(map[string]string{"error": "Prediction failed: " + message})
	if err != nil {
		// A map of strings always has a JSON form.
		panic(fmt.Sprintf("encode an error: %v", err))
	}
	return append(dst, b...)
}
