package tfserving_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hearth/appliance/api/tfserving"
	"hearth/ml"
	"hearth/serving"
	"hearth/serving/frame"
)

// catalogue is one model and its versions; asked, a version tells what it was
// asked.
type catalogue struct {
	versions []*ml.Version
	timeout  time.Duration
}

func (c *catalogue) Model(_, id string) (*ml.Model, error) {
	if id != "m" {
		return nil, ml.Errorf(ml.NotFound, "no model %s", id)
	}
	return &ml.Model{Name: "m", DefaultVersion: c.versions[0]}, nil
}

func (c *catalogue) Version(project, model, id string) (*ml.Version, error) {
	if _, err := c.Model(project, model); err != nil {
		return nil, err
	}
	for _, v := range c.versions {
		if ml.LastSegment(v.Name) == id {
			return v, nil
		}
	}
	return nil, ml.Errorf(ml.NotFound, "no version %s", id)
}

func (c *catalogue) Versions(project, model string, _ int, token string) ([]*ml.Version, string, error) {
	if _, err := c.Model(project, model); err != nil {
		return nil, "", err
	}
	if token == "" {
		return c.versions[:1], "more", nil
	}
	return c.versions[1:], "", nil
}

func (c *catalogue) Predict(_ context.Context, r serving.PredictRequest) (serving.PredictResponse, error) {
	answer := serving.PredictResponse{Status: 200, ContentType: "application/json", Release: func() {}}
	if r.Version != "" {
		if _, err := c.Version(r.Project, r.Model, r.Version); err != nil {
			return answer, err
		}
	}
	if r.Model == "busy" {
		return answer, ml.Errorf(ml.ResourceExhausted, "too many")
	}
	c.timeout = r.Timeout
	if answer.Version = r.Version; r.Version == "" {
		answer.Version = "1"
	}
	answer.Body = fmt.Appendf(nil, `{"asked": "%s/%s/%s %d %s"}`, r.Project, r.Model, r.Version, r.Method, r.Body)
	if r.Method == frame.TFServingMetadata {
		answer.Body = []byte(`{"signature_def": {}}`)
	}
	return answer, nil
}

func newCatalogue() *catalogue {
	version := func(name string, state ml.VersionState, labels ...string) *ml.Version {
		v := &ml.Version{Name: ml.VersionName("hearth", "m", name), State: state, Labels: map[string]string{}}
		for _, l := range labels {
			v.Labels[l] = ""
		}
		return v
	}
	failed := version("v3", ml.VersionFailed, "canary")
	failed.ErrorMessage = "it is broken"
	return &catalogue{versions: []*ml.Version{version("1", ml.VersionReady, "stable", "both"), version("v2", ml.VersionReady, "both"), failed}}
}

func TestHandler(t *testing.T) {
	c := newCatalogue()
	h := tfserving.New(tfserving.Options{Project: "hearth", Reader: c, Predictor: c, MaxBody: 100})
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/v1/models/m:predict", "[1]", 200, `{"asked": "hearth/m/ 1 [1]"}`},
		{"POST", "/V1/Models/m:PREDICT", "[1]", 200, `{"asked": "hearth/m/ 1 [1]"}`},
		{"POST", "/v1/models/m%20n:predict", "", 200, `hearth/m n/`},
		{"POST", "/v1/models/m/versions/1:predict", "", 200, "hearth/m/1"},
		{"POST", "/v1/models/m/versions/2:predict", "", 200, "hearth/m/v2"},
		{"POST", "/v1/models/m/versions/v2:predict", "", 200, "hearth/m/v2"},
		{"POST", "/v1/models/m/versions/7:predict", "", 404, `{"error":"no version v7"}`},
		{"POST", "/v1/models/m/versions/x:predict", "", 404, `{"error":"no version x"}`},
		{"POST", "/v1/models/m/labels/stable:predict", "", 200, "hearth/m/1"},
		{"POST", "/v1/models/m/labels/canary:predict", "", 404, "Unrecognized servable version label: canary"},
		{"POST", "/v1/models/m/labels/both:predict", "", 400, "several versions of model m: 1, v2"},
		{"POST", "/v1/models/busy:predict", "", 429, `{"error":"too many"}`},
		{"POST", "/v1/models/m:predict", strings.Repeat("x", 101), 413, "exceeds the limit"},
		{"POST", "/v1/models/m:classify", "", 501, ":predict"},
		{"GET", "/v1/models/m:predict", "", 400, `{"error":"Malformed request: GET /v1/models/m:predict"}`},
		{"POST", "/v1/models/m", "", 400, "Malformed request: POST /v1/models/m"},
		{"POST", "/v1/models/m/versions:predict", "", 400, "Malformed request"},
		{"POST", "/v1/models/m/colours/red:predict", "", 400, "Malformed request"},
		{"POST", "/v1/models/:predict", "", 400, "Malformed request"},
		{"GET", "/v1/models/m/versions/2", "", 200, `{"model_version_status":[{"version":"2","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}]}`},
		{"GET", "/v1/models/m/labels/stable", "", 200, `"version":"1","state":"AVAILABLE"`},
		{"GET", "/v1/models/m", "", 200, `{"model_version_status":[{"version":"3","state":"END","status":{"error_code":"UNKNOWN","error_message":"it is broken"}},` +
			`{"version":"2","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}},{"version":"1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}]}`},
		{"GET", "/v1/models/n", "", 404, `{"error":"no model n"}`},
		{"GET", "/v1/models/m/metadata", "", 200, `{"model_spec":{"name":"m","signature_name":"","version":"1"},"metadata":{"signature_def":{"signature_def":{}}}}`},
		{"GET", "/v1/models/m/versions/2/metadata", "", 200, `"version":"2"`},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(test.method, test.path, strings.NewReader(test.body)))
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("%s %s: %d %s\nwant %d %s", test.method, test.path, w.Code, w.Body, test.status, test.want)
		}
		if (w.Code == 429) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%d with Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
	}
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHandler_Gzip(t *testing.T) {
	c := newCatalogue()
	h := tfserving.New(tfserving.Options{Project: "hearth", Reader: c, Predictor: c, MaxBody: 1 << 20})
	ask := func(body []byte, header ...string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/v1/models/m:predict", bytes.NewReader(body))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		h.ServeHTTP(w, r)
		return w
	}
	if w := ask(packed(t, "[1]"), "Content-Encoding", "gzip", "X-Server-Timeout", "2.5"); w.Code != 200 || !strings.Contains(w.Body.String(), "[1]") || c.timeout != 2500*time.Millisecond {
		t.Errorf("a body in gzip: %d %s, timeout %s", w.Code, w.Body, c.timeout)
	}
	large := strings.Repeat("x", 64<<10)
	w := ask([]byte(large), "Accept-Encoding", "deflate, gzip;q=0.5")
	z, err := gzip.NewReader(w.Body)
	if err != nil || w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v %v", w.Header(), err)
	}
	if plain, err := io.ReadAll(z); err != nil || !strings.Contains(string(plain), large) {
		t.Errorf("%d bytes, %v", len(plain), err)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"small":       ask([]byte("x"), "Accept-Encoding", "gzip"),
		"not taken":   ask([]byte(large), "Accept-Encoding", "gzip;q=0"),
		"not offered": ask([]byte(large)),
	} {
		if w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: in gzip all the same", name)
		}
	}
	broken := packed(t, large)
	broken[len(broken)-6] ^= 1
	for name, bad := range map[string]*httptest.ResponseRecorder{
		"not gzip":        ask([]byte("[1]"), "Content-Encoding", "gzip"),
		"wrong checksum":  ask(broken, "Content-Encoding", "gzip"),
		"cut off":         ask(packed(t, large)[:40], "Content-Encoding", "gzip"),
		"other encodings": ask([]byte("[1]"), "Content-Encoding", "br"),
		"bad timeout":     ask([]byte("[1]"), "X-Server-Timeout", "soon"),
	} {
		if bad.Code != 400 {
			t.Errorf("%s: %d %s", name, bad.Code, bad.Body)
		}
	}
	if w := ask(packed(t, strings.Repeat("x", 2<<20)), "Content-Encoding", "gzip"); w.Code != 413 {
		t.Errorf("a bomb: %d %s", w.Code, w.Body)
	}
}
