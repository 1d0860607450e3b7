package serving

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"hearth/ml"
	"hearth/serving/frame"
	"hearth/serving/handover"
)

// PredictRequest asks a version for predictions.
type PredictRequest struct {
	Project, Model string
	// Version is empty for the model's default one.
	Version string
	// Method is what is asked, in which dialect.
	Method frame.Method
	// Timeout is how long the client will wait, zero if it did not say.
	Timeout time.Duration
	// Body is the request as the client sent it.
	Body []byte
}

// PredictResponse is the answer as the client is to get it, which may well be
// an error that the request is to blame for.
type PredictResponse struct {
	// Version is the name of the one that answered.
	Version     string
	Status      int
	ContentType string
	// Timing is the value of a Server-Timing header, empty if the worker gave none.
	Timing string
	Body   []byte
	// Release must be called once, when Body is no longer used.
	Release func()
}

// Predict asks the worker of a version. Errors are of what surrounds the
// prediction: NOT_FOUND, FAILED_PRECONDITION for a model without a default
// version or a version that is not READY, UNAVAILABLE while no worker answers
// or if it died, RESOURCE_EXHAUSTED with too many requests in flight, and
// DEADLINE_EXCEEDED.
func (m *Manager) Predict(ctx context.Context, r PredictRequest) (PredictResponse, error) {
	p := m.routes.Load().find(r.Project, r.Model, r.Version)
	if p == nil {
		var err error
		if p, err = m.locate(r); err != nil {
			return PredictResponse{}, err
		}
	}
	way, err := p.quarantine.enter(r.Body)
	if err != nil {
		return PredictResponse{}, err
	}
	became := notRun
	defer func() { p.quarantine.leave(way, r.Body, became) }()
	now := time.Now()
	timeout := r.timeout(ctx, now, p.limits.timeout)
	if timeout <= 0 {
		return PredictResponse{}, handover.ErrLate(nil)
	}
	c, err := p.acquire(ctx, now, timeout)
	if err != nil {
		return PredictResponse{}, err
	}
	f, err := c.exchange(ctx, r, now.Add(timeout))
	if err != nil {
		became = c.fateOf(err)
		c.giveBack()
		return PredictResponse{}, err
	}
	became = answered
	response := PredictResponse{Version: p.version, Status: f.Status, ContentType: "application/json", Body: f.Body, Release: c.giveBack}
	if len(f.Head) > 0 {
		response.ContentType, response.Timing, _ = strings.Cut(string(f.Head), "\n")
	}
	return response, nil
}

// timeout is how long the request may take from now on, no longer than limit.
func (r *PredictRequest) timeout(ctx context.Context, now time.Time, limit time.Duration) time.Duration {
	if r.Timeout > 0 {
		limit = min(limit, r.Timeout)
	}
	if d, ok := ctx.Deadline(); ok {
		limit = min(limit, d.Sub(now))
	}
	return limit
}

// exchange sends a request and receives its answer. With an error the
// connection is broken, except where the worker itself gave the error.
func (c *conn) exchange(ctx context.Context, r PredictRequest, deadline time.Time) (frame.Frame, error) {
	// A connection that has died says so in the exchange itself.
	_ = c.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	err := c.Write(frame.Frame{Kind: frame.Predict, Status: int(r.Method), Timeout: time.Until(deadline), Body: r.Body})
	if errors.Is(err, frame.ErrTooLarge) {
		c.broken = !stop()
		return frame.Frame{}, ml.Errorf(ml.InvalidArgument, "The request has %d bytes; at most %d can be handled.", len(r.Body), frame.MaxBody)
	}
	var f frame.Frame
	if err == nil {
		f, err = c.Read()
	}
	// Once begun, the function above may end a later exchange.
	c.broken = !stop() || err != nil
	if err != nil {
		return f, explainBroken(ctx, err)
	}
	switch f.Kind {
	case frame.Answer:
		return f, nil
	case frame.Error:
		return f, ml.Errorf(ml.Kind(f.Status), "%s", f.Body)
	}
	c.broken = true
	return f, &ml.Error{Kind: ml.Internal, Message: "The version's worker gave no answer that can be understood."}
}

// fateOf is what became of a request that ended in an error: one that broke the
// connection may have been the worker's end, or go on there.
func (c *conn) fateOf(err error) fate {
	switch {
	case c.broken && ml.KindOf(err) == ml.Unavailable:
		return died
	case c.broken:
		return late
	}
	return answered
}

// explainBroken turns the error of a connection into what the client is told.
func explainBroken(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &ml.Error{Kind: ml.Canceled, Message: "The request was cancelled.", Err: err}
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return handover.ErrLate(err)
	}
	return handover.ErrDied(err)
}

// locate finds the pool of a version that is not among the routes, or says why
// there is none. A version may have become READY this very moment.
func (m *Manager) locate(r PredictRequest) (*pool, error) {
	model, err := m.o.DB.Model(r.Project, r.Model)
	if err != nil {
		return nil, notFound(err, ml.ModelName(r.Project, r.Model))
	}
	version := r.Version
	if version == "" {
		if model.DefaultVersion == nil {
			return nil, ml.Errorf(ml.FailedPrecondition, "Model %s has no default version; create a version, or name one.", r.Model)
		}
		version = ml.LastSegment(model.DefaultVersion.Name)
	}
	v, err := m.o.DB.Version(r.Project, r.Model, version)
	if err != nil {
		return nil, notFound(err, ml.VersionName(r.Project, r.Model, version))
	}
	if v.State != ml.VersionReady {
		return nil, ml.Errorf(ml.FailedPrecondition, "Version %s of model %s is %s, not READY.", version, r.Model, v.State)
	}
	if _, err := m.refresh(); err != nil {
		return nil, err
	}
	if p := m.routes.Load().find(r.Project, r.Model, version); p != nil {
		return p, nil
	}
	return nil, ml.Errorf(ml.Unavailable, "Version %s of model %s is changing; try again.", version, r.Model)
}

// notFound gives NOT_FOUND errors the name of what was not found.
func notFound(err error, name string) error {
	if ml.KindOf(err) != ml.NotFound {
		return err
	}
	return &ml.Error{Kind: ml.NotFound, Message: name + " was not found.", Err: err}
}
