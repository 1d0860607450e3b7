package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"hearth/ml"
)

// echo answers with the pattern and the variables.
func echo(pattern string, names ...string) HandlerFunc {
	return func(_ *http.Request, p Params) (any, error) {
		s := pattern
		for _, n := range names {
			s += fmt.Sprintf(" %s=%q", n, p.Get(n))
		}
		return map[string]string{"route": s}, nil
	}
}

func testMux() *Mux {
	m := NewMux()
	m.Handle("GET", "/v1/p/{p}/jobs/{job}", echo("get", "p", "job"))
	m.Handle("POST", "/v1/p/{p}/jobs", echo("create", "p"))
	m.Handle("GET", "/v1/p/{p}/jobs", echo("list", "p"), "pageSize")
	m.Handle("POST", "/v1/p/{p}/jobs/{job}:cancel", echo("cancel", "p", "job"))
	m.Handle("POST", "/v1/p/{p}:predict", echo("predict", "p"))
	m.Handle("GET", "/v1/p/{p}/jobs/mine/tail", echo("tail"))
	m.Handle("POST", "/v2/entries:list", echo("entries"))
	m.Unimplemented("PATCH", "/v1/p/{p}/jobs/{job}")
	return m
}

func TestMux_Routing(t *testing.T) {
	mux := testMux()
	tests := []struct {
		name, method, path string
		status             int
		want               string // part of the answer
	}{
		{"Get", "GET", "/v1/p/x/jobs/a", 200, `get p=\"x\" job=\"a\"`},
		{"Head", "HEAD", "/v1/p/x/jobs/a", 200, `get p=`},
		{"Create", "POST", "/v1/p/x/jobs", 200, `create p=\"x\"`},
		{"Verb", "POST", "/v1/p/x/jobs/a:cancel", 200, `cancel p=\"x\" job=\"a\"`},
		{"VerbOnVariable", "POST", "/v1/p/x:predict", 200, `predict p=\"x\"`},
		{"VerbOnLiteral", "POST", "/v2/entries:list", 200, `entries`},
		{"LiteralBeforeVariable", "GET", "/v1/p/x/jobs/mine/tail", 200, `tail`},
		{"VariableBesideLiteral", "GET", "/v1/p/x/jobs/mine", 200, `get p=\"x\" job=\"mine\"`},
		{"EscapedSlash", "GET", "/v1/p/x/jobs/a%2Fb", 200, `job=\"a/b\"`},
		{"EscapedColon", "GET", "/v1/p/x/jobs/a%3Acancel", 200, `job=\"a:cancel\"`},
		{"Dots", "GET", "/v1/p/x/jobs/..", 200, `job=\"..\"`},
		{"Unknown", "GET", "/v1/q", 404, "Method not found: this server has nothing at /v1/q."},
		{"UnknownVerb", "POST", "/v1/p/x/jobs/a:stop", 404, "nothing at /v1/p/x/jobs/a:stop"},
		{"EmptySegment", "GET", "/v1/p//jobs", 404, "Method not found"},
		{"TrailingSlash", "GET", "/v1/p/x/jobs/", 404, "Method not found"},
		{"TooDeep", "GET", "/v1/p/x/jobs/a/b/c/d/e/f/g/h", 404, "Method not found"},
		{"WrongMethod", "DELETE", "/v1/p/x/jobs", 404, "/v1/p/x/jobs answers GET and POST, not DELETE."},
		{"Unimplemented", "PATCH", "/v1/p/x/jobs/a?updateMask=x", 501, `"status": "UNIMPLEMENTED"`},
		{"KnownQuery", "GET", "/v1/p/x/jobs?pageSize=1&alt=json&$.xgafv=2", 200, "list"},
		{"UnknownQuery", "GET", "/v1/p/x/jobs?size=1", 400, `Unknown name \"size\": Cannot bind query parameter.`},
		{"QueryOfOther", "POST", "/v1/p/x/jobs?pageSize=1", 400, `Unknown name \"pageSize\"`},
		{"Alt", "GET", "/v1/p/x/jobs?alt=proto", 400, `parameter alt`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("%s %s: %d %s\nwant %d with %s", tt.method, tt.path, w.Code, w.Body, tt.status, tt.want)
			}
		})
	}
}

func TestMux_Handle_PanicsOnDuplicate(t *testing.T) {
	m := testMux()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	m.Handle("GET", "/v1/p/{other}/jobs", nil)
}

// Routing stands before every prediction: it must not allocate.
func TestMux_find_Allocates_Nothing(t *testing.T) {
	m := testMux()
	r := httptest.NewRequest("POST", "/v1/p/x/jobs/a:cancel", nil)
	n := testing.AllocsPerRun(100, func() {
		var p Params
		if _, err := m.find(r, &p); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWriteError(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want ErrorBody
		logs string
	}{
		{"Field", ml.FieldErrorf("trainingInput.scaleTier", "No such tier."),
			ErrorBody{400, "Field: trainingInput.scaleTier Error: No such tier.", "INVALID_ARGUMENT", []BadRequest{{
				"type.googleapis.com/google.rpc.BadRequest", []FieldViolation{{"trainingInput.scaleTier", "No such tier."}}}}}, ""},
		{"Wrapped", fmt.Errorf("submit: %w", ml.Errorf(ml.AlreadyExists, "There is one.")), ErrorBody{409, "There is one.", "ALREADY_EXISTS", nil}, ""},
		{"CauseStaysPrivate", &ml.Error{Kind: ml.Unavailable, Message: "Not now.", Err: errors.New("secret")}, ErrorBody{503, "Not now.", "UNAVAILABLE", nil}, ""},
		{"Foreign", errors.New("secret"), ErrorBody{500, "Internal error encountered.", "INTERNAL", nil}, "secret"},
		{"Cancelled", context.Canceled, ErrorBody{499, "The request was cancelled.", "CANCELLED", nil}, ""},
		{"Deadline", context.DeadlineExceeded, ErrorBody{504, "The deadline of the request has passed.", "DEADLINE_EXCEEDED", nil}, ""},
		{"MaxBytes", &http.MaxBytesError{Limit: 7}, ErrorBody{413, "Request payload size exceeds the limit: 7 bytes.", "INVALID_ARGUMENT", nil}, ""},
		{"DataLoss", ml.Errorf(ml.DataLoss, "Gone."), ErrorBody{500, "Gone.", "DATA_LOSS", nil}, "Gone."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			r := httptest.NewRequest("GET", "/", nil)
			r = r.WithContext(zerolog.New(&log).WithContext(r.Context()))
			w := httptest.NewRecorder()
			WriteError(w, r, tt.err)
			var got ErrorObject
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got.Error); d != "" || w.Code != tt.want.Code {
				t.Errorf("status %d: %s", w.Code, d)
			}
			if (tt.logs == "") != (log.Len() == 0) || !strings.Contains(log.String(), tt.logs) {
				t.Errorf("log %q, want %q", log.String(), tt.logs)
			}
		})
	}
}

func TestWriteJSON_Form(t *testing.T) {
	m := NewMux()
	m.Handle("GET", "/nil", func(*http.Request, Params) (any, error) { return nil, nil })
	m.Handle("GET", "/v", func(*http.Request, Params) (any, error) { return map[string]string{"a": "<b>"}, nil })
	for path, want := range map[string]string{
		"/nil":                 "{}\n",
		"/v":                   "{\n  \"a\": \"<b>\"\n}\n",
		"/v?prettyPrint=false": "{\"a\":\"<b>\"}\n",
		"/v?prettyPrint=true":  "{\n  \"a\": \"<b>\"\n}\n",
	} {
		w := httptest.NewRecorder()
		m.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Body.String() != want || w.Header().Get("Content-Type") != "application/json; charset=UTF-8" {
			t.Errorf("%s: %q %v", path, w.Body, w.Header())
		}
	}
}

func TestPage(t *testing.T) {
	tests := []struct {
		query string
		size  int
		token string
		ok    bool
	}{
		{"", 20, "", true},
		{"?pageSize=0", 20, "", true},
		{"?pageSize=5&pageToken=x", 5, "x", true},
		{"?pageSize=1000", 100, "", true},
		{"?pageSize=-1", 0, "", false},
		{"?pageSize=many", 0, "", false},
		{"?pageSize=99999999999", 0, "", false},
	}
	for _, tt := range tests {
		size, token, err := Page(httptest.NewRequest("GET", "/"+tt.query, nil))
		if size != tt.size || token != tt.token || (err == nil) != tt.ok {
			t.Errorf("%q: %d %q %v", tt.query, size, token, err)
		}
	}
}
