package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hearth/ml"
)

// serve makes a client of a server that answers with a function.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := New(Options{Endpoint: server.URL + "/", Token: "s3cret", Project: "hearth"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClient_Errors(t *testing.T) {
	cases := map[string]struct {
		status  int
		body    string
		kind    ml.Kind
		message string
		field   string
	}{
		"Google": {400, `{"error":{"code":400,"message":"bad","status":"FAILED_PRECONDITION"}}`, ml.FailedPrecondition, "bad", ""},
		"Field": {400, `{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT","details":[{"@type":"x","fieldViolations":[{"field":"jobId"}]}]}}`,
			ml.InvalidArgument, "bad", "jobId"},
		"Storage":    {412, `{"error":{"code":412,"message":"no match","errors":[]}}`, ml.FailedPrecondition, "no match", ""},
		"Prediction": {400, `{"error":"Prediction failed: shape"}`, ml.InvalidArgument, "Prediction failed: shape", ""},
		"Stranger":   {404, "<html>nothing\nhere", ml.NotFound, "HTTP status 404 Not Found: <html>nothing", ""},
		"Empty":      {503, "", ml.Unavailable, "HTTP status 503 Service Unavailable", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			_, err := client.Job(t.Context(), "j")
			var got *ml.Error
			if !errors.As(err, &got) || got.Kind != c.kind || got.Message != c.message || got.Field != c.field {
				t.Errorf("got %#v, want %v %q %q", err, c.kind, c.message, c.field)
			}
		})
	}
}

func TestClient_Unreachable(t *testing.T) {
	c, err := New(Options{Endpoint: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Status(t.Context())
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || unreachable.Endpoint != "http://127.0.0.1:1" {
		t.Errorf("got %v, want an UnreachableError", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestClient_NamesStayOneSegment(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"name": %q}`, r.URL.EscapedPath()+" "+r.Header.Get("Authorization"))
	})
	m, err := c.Model(t.Context(), "../a b")
	if err != nil || m.Name != "/v1/projects/hearth/models/..%2Fa%20b Bearer s3cret" {
		t.Errorf("asked for %q, %v", m.Name, err)
	}
}

func TestClient_ListReadsAllPages(t *testing.T) {
	pages := map[string]string{
		"":  `{"models":[{"name":"a"},{"name":"b"}],"nextPageToken":"2"}`,
		"2": `{"models":[{"name":"c"}],"nextPageToken":"3"}`,
		"3": `{}`,
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, pages[r.URL.Query().Get("pageToken")]) })
	for limit, want := range map[int]int{0: 3, 1: 1, 2: 2, 9: 3} {
		models, err := c.Models(t.Context(), limit)
		if err != nil || len(models) != want {
			t.Errorf("limit %d: %d models, %v, want %d", limit, len(models), err, want)
		}
	}
}

// logServer answers entries:list from a log that grows until the job ends.
type logServer struct {
	t       *testing.T
	filters []string
	pages   []string
	jobs    []ml.JobState
}

func (s *logServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		state := s.jobs[0]
		if len(s.jobs) > 1 {
			s.jobs = s.jobs[1:]
		}
		fmt.Fprintf(w, `{"jobId":"j","state":%q}`, state)
		return
	}
	var in struct{ Filter string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		s.t.Error(err)
	}
	s.filters = append(s.filters, in.Filter)
	page := `{}`
	if len(s.pages) > 0 {
		page, s.pages = s.pages[0], s.pages[1:]
	}
	io.WriteString(w, page)
}

func TestClient_FollowLogs(t *testing.T) {
	s := &logServer{t: t, jobs: []ml.JobState{ml.JobQueued, ml.JobRunning, ml.JobSucceeded}, pages: []string{
		`{}`,
		`{"entries":[{"timestamp":"2026-01-01T00:00:00.000000001Z","insertId":"a","textPayload":"one","resource":{"labels":{"task_name":"service"}}},
		             {"timestamp":"2026-01-01T00:00:00.000000001Z","insertId":"b","severity":"ERROR","jsonPayload":{"message":"two"},"labels":{"task_name":"master-replica-0"}}]}`,
		`{}`,
		`{"entries":[{"timestamp":"2026-01-01T00:00:01Z","insertId":"c","severity":"INFO","textPayload":"last"}]}`,
	}}
	c := serve(t, s.ServeHTTP)
	var got []string
	job, err := c.FollowLogs(t.Context(), Follow{Job: "j", Task: "x", Interval: time.Millisecond}, func(e LogEntry) error {
		got = append(got, strings.Join([]string{e.Severity, e.Task, e.Message}, " "))
		return nil
	})
	if err != nil || job.State != ml.JobSucceeded {
		t.Fatalf("ended with %v, %v", job, err)
	}
	if want := "DEFAULT service one|ERROR master-replica-0 two|INFO  last"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	first, third := s.filters[0], s.filters[2]
	if !strings.HasSuffix(first, ` AND timestamp>="1970-01-01T01:00:00.000000000Z"`) || !strings.Contains(first, `(resource.labels.task_name="x" OR labels.task_name="x")`) {
		t.Errorf("the first filter is %s", first)
	}
	if !strings.HasSuffix(third, ` AND ((timestamp="2026-01-01T00:00:00.000000001Z" AND insertId>"b") OR timestamp>"2026-01-01T00:00:00.000000001Z")`) {
		t.Errorf("the third filter is %s", third)
	}
}

func TestClient_InstallRuntime(t *testing.T) {
	cases := map[string]struct {
		last string
		kind ml.Kind
	}{
		"Installed": {`{"runtime":{"name":"2.21","tensorflow":"2.21.0"}}`, ml.OK},
		"Failed":    {`{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"no such version"}}`, ml.InvalidArgument},
		"CutOff":    {``, ml.Unavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, `{"phase":"download","package":"tensorflow","doneBytes":1,"totalBytes":2}`+"\n"+c.last)
			})
			var steps []ml.InstallProgress
			_, err := client.InstallRuntime(t.Context(), InstallRequest{Name: "2.21"}, func(p ml.InstallProgress) { steps = append(steps, p) })
			if ml.KindOf(err) != c.kind || len(steps) != 1 || steps[0].TotalBytes != 2 {
				t.Errorf("got %v after %v, want %v", err, steps, c.kind)
			}
		})
	}
}

func TestClient_WaitOperation(t *testing.T) {
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked < 2 {
			io.WriteString(w, `{"name":"projects/hearth/operations/o"}`)
			return
		}
		io.WriteString(w, `{"name":"o","done":true,"error":{"code":9,"message":"broken model"}}`)
	})
	_, err := c.WaitOperation(t.Context(), &ml.Operation{Name: "projects/hearth/operations/o"})
	if ml.KindOf(err) != ml.FailedPrecondition || err.Error() != "broken model" {
		t.Errorf("got %v, want the operation's error", err)
	}
}
