package gcsv1

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"hearth/storage/object"
)

// client speaks to a handler over a real store through real connections.
type client struct {
	t      *testing.T
	store  object.Store
	server *httptest.Server
	base   string
	http   *http.Client
}

func newClient(t *testing.T, change func(*Options)) *client {
	t.Helper()
	store, err := object.OpenLocal(t.TempDir(), object.LocalOptions{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.CreateBucket(t.Context(), object.Bucket{Name: "data", Location: "US"}); err != nil {
		t.Fatal(err)
	}
	o := Options{Store: store, Log: zerolog.Nop()}
	if change != nil {
		change(&o)
	}
	server := httptest.NewServer(New(o))
	t.Cleanup(func() {
		server.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	transport := server.Client()
	// What it would add and unpack by itself is not what the others send.
	transport.Transport.(*http.Transport).DisableCompression = true
	transport.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{t, o.Store, server, server.URL, transport}
}

// answer is a response, read to its end.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// do sends a request; headers are pairs of name and value.
func (c *client) do(method, path, body string, headers ...string) *answer {
	c.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.base + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.read(res)
}

func (c *client) read(res *http.Response) *answer {
	c.t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return &answer{c.t, res.StatusCode, res.Header, string(b)}
}

func (c *client) put(name, content string) *answer {
	c.t.Helper()
	return c.do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name="+url.QueryEscape(name), content).want(200)
}

func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// wantError checks status and reason of an error in the API's form.
func (a *answer) wantError(status int, reason string) {
	a.t.Helper()
	a.want(status)
	var e errorBody
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	if e.Error.Code != status || e.Error.Message == "" || len(e.Error.Errors) != 1 || e.Error.Errors[0].Reason != reason || e.Error.Errors[0].Domain != "global" {
		a.t.Fatalf("got %s, want %s", a.body, reason)
	}
}

// wantBody checks a body byte by byte.
func (a *answer) wantBody(want string) *answer {
	a.t.Helper()
	if a.body != want {
		a.t.Fatalf("got %.200q, want %.200q", a.body, want)
	}
	return a
}

func (a *answer) wantHeader(name, want string) *answer {
	a.t.Helper()
	if got := a.header.Get(name); got != want {
		a.t.Fatalf("%s is %q, want %q", name, got, want)
	}
	return a
}

// json decodes the body.
func (a *answer) json() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// wantJSON compares the body with what JSON says.
func (a *answer) wantJSON(want string) {
	a.t.Helper()
	var w map[string]any
	if err := json.NewDecoder(bytes.NewReader([]byte(want))).Decode(&w); err != nil {
		a.t.Fatal(err)
	}
	if d := cmp.Diff(w, a.json()); d != "" {
		a.t.Fatal(d)
	}
}

func mustRequest(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fieldNames(fields []objectField) []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names
}

func decodeMap(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return m
}

func putRequestOf(name string) object.PutRequest {
	return object.PutRequest{Bucket: "data", Name: name, Attributes: object.Attributes{ContentType: defaultContentType}}
}
