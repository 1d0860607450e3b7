package mlv1

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/serving"
)

func (a *api) routePredict() {
	const project = "/v1/projects/{project}"
	a.mux.HandleRaw(http.MethodPost, project+"/models/{model}:predict", a.predict)
	a.mux.HandleRaw(http.MethodPost, project+"/models/{model}/versions/{version}:predict", a.predict)
	a.handle(http.MethodPost, ":predict", func(_ *http.Request, p rest.Params) (any, error) {
		return nil, ml.FieldErrorf("name", "Predictions are made by a model or a version: projects/%s/models/MODEL[/versions/VERSION].", p.Get("project"))
	})
}

// predict hands the body to a version as it came and its answer back as it
// comes: what is wrong with the instances is the version's to say. This is the
// hot path.
func (a *api) predict(w http.ResponseWriter, r *http.Request, p rest.Params) error {
	project := p.Get("project")
	if err := a.checkProject(project); err != nil {
		return err
	}
	buf := bodies.Get().(*bytes.Buffer)
	defer putBody(buf)
	if err := readBody(buf, r, a.MaxPredictBody); err != nil {
		return err
	}
	body, err := unwrapHTTPBody(buf.Bytes())
	if err != nil {
		return err
	}
	answer, err := a.Predictor.Predict(r.Context(), serving.PredictRequest{
		Project: project, Model: p.Get("model"), Version: p.Get("version"), Body: body,
	})
	if err != nil {
		return err
	}
	defer answer.Release()
	h := w.Header()
	h.Set("Content-Type", answer.ContentType)
	// net/http counts small bodies by itself.
	if len(answer.Body) > 2<<10 {
		h.Set("Content-Length", strconv.Itoa(len(answer.Body)))
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // if it fails the client has gone
	return nil
}

// bodies holds buffers for requests; the largest are left to the collector.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keepBody = 8 << 20

func putBody(buf *bytes.Buffer) {
	if buf.Cap() <= keepBody {
		buf.Reset()
		bodies.Put(buf)
	}
}

// readBody reads the request's body into buf, at most limit bytes of it.
func readBody(buf *bytes.Buffer, r *http.Request, limit int64) error {
	body := r.Body
	switch n := r.ContentLength; {
	case n > limit:
		return rest.TooLarge(limit)
	case n < 0:
		body = http.MaxBytesReader(nil, body, limit)
	default:
		buf.Grow(int(n) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(body)
	return rest.BodyError(err)
}

// httpBody is how Google's generated Go client wraps a prediction's body.
type httpBody struct {
	HTTPBody struct {
		ContentType string           `json:"contentType"`
		Data        []byte           `json:"data"`
		Extensions  []map[string]any `json:"extensions"`
	} `json:"httpBody"`
}

var httpBodyStart = []byte(`{"httpBody"`)

// unwrapHTTPBody takes the body out of its wrapping, if it has one.
func unwrapHTTPBody(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), httpBodyStart) {
		return body, nil
	}
	var wrapped httpBody
	if err := rest.DecodeBytes(body, &wrapped); err != nil {
		return nil, err
	}
	return wrapped.HTTPBody.Data, nil
}
