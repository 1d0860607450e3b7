package tfserving

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/serving"
	"hearth/serving/frame"
)

// Options are what the API needs. All must be set.
type Options struct {
	// Project is the one whose models are served.
	Project   string
	Reader    Reader
	Predictor Predictor
	// Authorize says whether the caller of a gRPC call may do something with a model;
	// of other requests it is known before they come here.
	Authorize func(ctx context.Context, model, permission string) error
	// MaxBody is the most bytes of a request.
	MaxBody int64
}

// Predictor answers predictions. It uses the request's body only until it
// returns.
type Predictor interface {
	Predict(ctx context.Context, r serving.PredictRequest) (serving.PredictResponse, error)
}

type api struct{ Options }

// New makes the handler of /v1/models/….
func New(o Options) http.Handler { return &api{o} }

// ServeHTTP answers a request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := a.serve(w, r); err != nil {
		a.fail(w, r, err)
	}
}

func (a *api) serve(w http.ResponseWriter, r *http.Request) error {
	to, ok := parsePath(r.URL.EscapedPath())
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case !ok:
	case get && to.metadata:
		return a.metadata(w, r, to)
	case get && to.verb == "":
		return a.status(w, r, to)
	case r.Method == http.MethodPost && to.verb == "predict":
		return a.predict(w, r, to)
	case r.Method == http.MethodPost && (to.verb == "classify" || to.verb == "regress"):
		return ml.Errorf(ml.Unimplemented, "This server does not answer :%s; ask with :predict and a signature_name.", to.verb)
	}
	return ml.Errorf(ml.InvalidArgument, "Malformed request: %s %s", r.Method, r.URL.EscapedPath())
}

// predict hands the body to the version and its answer back.
func (a *api) predict(w http.ResponseWriter, r *http.Request, to address) error {
	body, release, err := rest.ReadBody(r, a.MaxBody)
	if err != nil {
		return err
	}
	defer release()
	timeout, err := rest.Timeout(r)
	if err != nil {
		return err
	}
	answer, err := a.ask(r.Context(), to, serving.PredictRequest{Method: frame.TFServing, Timeout: timeout, Body: body})
	if err != nil {
		return err
	}
	defer answer.Release()
	if answer.Timing != "" {
		w.Header().Set("Server-Timing", answer.Timing)
	}
	rest.WriteRaw(w, r, answer.Status, answer.ContentType, answer.Body)
	return nil
}

// Predicts says which model a request is a predict of, and by which names its version
// may go, in order; an empty one is the default version. It is false for requests
// that name a version by a label, which may move at any time, or have a query.
func Predicts(r *http.Request) (model string, versions []string, ok bool) {
	to, ok := parsePath(r.URL.EscapedPath())
	if !ok || r.Method != http.MethodPost || to.verb != "predict" || to.label != "" || r.URL.RawQuery != "" {
		return "", nil, false
	}
	versions = []string{to.version}
	if name, ok := byNumber(to.version); ok {
		versions = append(versions, name)
	}
	return to.model, versions, true
}

// Asks says which model a request is about, and what permission on it is enough to
// make it. It is false for requests for which none is.
func Asks(r *http.Request) (model, permission string, ok bool) {
	to, ok := parsePath(r.URL.EscapedPath())
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case !ok:
	case to.verb == "predict" && r.Method == http.MethodPost:
		return to.model, ml.PermissionModelPredict, true
	case to.verb == "" && get:
		return to.model, ml.PermissionModelGet, true
	}
	return "", "", false
}

// ask finds the version that is meant and asks it.
func (a *api) ask(ctx context.Context, to address, q serving.PredictRequest) (answer serving.PredictResponse, err error) {
	q.Project, q.Model, q.Version = a.Project, to.model, to.version
	if to.label != "" {
		if q.Version, err = byLabel(a.Reader, a.Project, to.model, to.label); err != nil {
			return answer, err
		}
	}
	answer, err = a.Predictor.Predict(ctx, q)
	if ml.KindOf(err) == ml.NotFound {
		if name, ok := byNumber(q.Version); ok {
			q.Version = name
			answer, err = a.Predictor.Predict(ctx, q)
		}
	}
	return answer, err
}

// fail answers with an error in TensorFlow Serving's form.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	o := rest.Object(err)
	if o.Error.Code == http.StatusInternalServerError {
		zerolog.Ctx(r.Context()).Error().Err(err).Str("path", r.URL.Path).Msg("request ended with an internal error")
	}
	rest.SetRetryAfter(w.Header(), o.Error.Code)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(o.Error.Code)
	_, _ = w.Write(rest.ErrorString(o.Error.Message)) // if it fails the client has gone
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // if it fails the client has gone
}
