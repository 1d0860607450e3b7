package loggingv2

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
	"hearth/storage/logs"
)

var start = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// writeProcess makes the log files of a process: lines by the second after
// begin at which they were complete.
func writeProcess(t *testing.T, dir string, begin time.Time, stdout, stderr []string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var out, errs, index []byte
	for i := range max(len(stdout), len(stderr)) {
		if i < len(stdout) {
			out = append(out, stdout[i]+"\n"...)
		}
		if i < len(stderr) {
			errs = append(errs, stderr[i]+"\n"...)
		}
		at := begin.Add(time.Duration(i) * time.Second)
		index = ml.LogMark{Time: at, Stdout: int64(len(out)), Stderr: int64(len(errs))}.Append(index)
	}
	for name, b := range map[string][]byte{ml.FileStdout: out, ml.FileStderr: errs, ml.FileLogIndex: index} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func newTestHandler(t *testing.T) http.Handler {
	t.Helper()
	dir := t.TempDir()
	writeProcess(t, filepath.Join(dir, "hearth.j1.1", "environment"), start.Add(-time.Second), []string{"install"}, nil)
	writeProcess(t, filepath.Join(dir, "hearth.j1.1", "master-replica-0"), start,
		[]string{"one", "", "three\nthree again", "four"}, []string{"ERROR: bad", "WARNING:tensorflow:hm"})
	writeProcess(t, filepath.Join(dir, "hearth.j2.1", "master-replica-0"), start, []string{"other"}, nil)
	return New(Options{HasProject: func(p string) bool { return p == "hearth" }, Entries: logs.Open(dir)})
}

func call(t *testing.T, h http.Handler, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/v2/entries:list", strings.NewReader(body)))
	return w.Code, w.Body.String()
}

// list asks with a filter and gives the answer.
func list(t *testing.T, h http.Handler, in map[string]any) listResponse {
	t.Helper()
	if in["resourceNames"] == nil {
		in["resourceNames"] = []string{"projects/hearth"}
	}
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	status, text := call(t, h, string(body))
	var out listResponse
	if err := json.Unmarshal([]byte(text), &out); err != nil || status != 200 {
		t.Fatalf("%s: %d %s", body, status, text)
	}
	return out
}

func messages(es []entry) string {
	var all []string
	for _, e := range es {
		all = append(all, e.Resource.Labels["task_name"][:1]+"|"+*e.TextPayload)
	}
	return strings.Join(all, ",")
}

const (
	isJob   = `resource.labels.job_id="j1"`
	gcloud  = `(resource.type="ml_job" OR resource.type="cloudml_job") AND resource.labels.job_id="j1" AND timestamp>="1970-01-01T01:00:00.000000000Z" AND timestamp<"2100-01-01T00:00:00.000000000Z"`
	inTask  = ` AND (resource.labels.task_name="environment" OR labels.task_name="environment")`
	allOfIt = "e|install,m|one,m|ERROR: bad,m|,m|WARNING:tensorflow:hm,m|three,m|three again,m|four"
)

func TestList_Filters(t *testing.T) {
	h := newTestHandler(t)
	tests := []struct{ name, filter, want string }{
		{"Gcloud", gcloud, allOfIt},
		{"GcloudTask", gcloud + inTask, "e|install"},
		{"JobOnly", isJob, allOfIt},
		{"ImplicitAnd", isJob + ` labels.task_name=environment`, "e|install"},
		{"OrBindsCloser", isJob + ` AND labels.task_name="x" OR labels.task_name="environment"`, "e|install"},
		{"OtherType", `resource.type="gce_instance" AND ` + isJob, ""},
		{"NoJob", `resource.labels.job_id="none"`, ""},
		{"TwoJobs", isJob + ` AND resource.labels.job_id="j2"`, ""},
		{"After", isJob + ` AND timestamp>"2024-05-06T07:08:11Z"`, "m|four"},
		{"AtOrAfter", isJob + ` AND timestamp >= "2024-05-06T09:08:11+02:00"`, "m|three,m|three again,m|four"},
		{"Until", isJob + ` AND timestamp<="2024-05-06T07:08:10Z" AND timestamp>"2024-05-06T07:08:09Z"`, "m|,m|WARNING:tensorflow:hm"},
		{"Before", isJob + ` AND timestamp<"2024-05-06T07:08:09Z"`, "e|install"},
		{"Exactly", isJob + ` AND timestamp="2024-05-06T07:08:12Z"`, "m|four"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := list(t, h, map[string]any{"filter": tt.filter, "orderBy": "timestamp asc", "pageSize": 1000})
			if got := messages(out.Entries); got != tt.want || out.NextPageToken != "" {
				t.Errorf("%s, next %q\nwant %s", got, out.NextPageToken, tt.want)
			}
		})
	}
}

func TestList_Entry(t *testing.T) {
	h := newTestHandler(t)
	out := list(t, h, map[string]any{"filter": isJob + ` AND timestamp>="2024-05-06T07:08:10Z"`})
	got := out.Entries[1]
	if len(got.InsertID) == 0 {
		t.Error("no insertId")
	}
	got.InsertID = ""
	want := entry{
		LogName:   "projects/hearth/logs/master-replica-0",
		Resource:  resource{"ml_job", map[string]string{"job_id": "j1", "project_id": "hearth", "task_name": "master-replica-0"}},
		Timestamp: ml.At(start.Add(time.Second)), Severity: "WARNING", TextPayload: text("WARNING:tensorflow:hm"),
		Labels: map[string]string{"ml.googleapis.com/job_id": "j1", "ml.googleapis.com/task_name": "master-replica-0"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, text := call(t, h, `{"resourceNames":["projects/hearth"],"filter":"resource.labels.job_id=j1"}`); !strings.Contains(text, `"timestamp": "2024-05-06T07:08:08.000000000Z"`) {
		t.Errorf("timestamps are compared as text, they must be of one width: %s", text)
	}
}

// By page tokens, and by the bounds that gcloud sends instead of them.
func TestList_Pages(t *testing.T) {
	h := newTestHandler(t)
	for _, size := range []int{1, 2, 3, 7, 8, 9} {
		var all []entry
		in := map[string]any{"filter": gcloud, "pageSize": size}
		for {
			out := list(t, h, in)
			all = append(all, out.Entries...)
			if out.NextPageToken == "" {
				break
			}
			if len(out.Entries) != size {
				t.Errorf("a page of %d, asked for %d", len(out.Entries), size)
			}
			in["pageToken"] = out.NextPageToken
		}
		if got := messages(all); got != allOfIt {
			t.Errorf("pages of %d: %s", size, got)
		}
		all = nil
		for bound := ""; ; {
			out := list(t, h, map[string]any{"filter": isJob + bound, "pageSize": size})
			if len(out.Entries) == 0 {
				break
			}
			all = append(all, out.Entries...)
			last := out.Entries[len(out.Entries)-1]
			bound = fmt.Sprintf(` AND ((timestamp="%s" AND insertId>"%s") OR timestamp>"%s")`, last.Timestamp, last.InsertID, last.Timestamp)
		}
		if got := messages(all); got != allOfIt {
			t.Errorf("bounds of %d: %s", size, got)
		}
	}
}

func TestList_Errors(t *testing.T) {
	h := newTestHandler(t)
	deep := strings.Repeat("(", 60) + isJob + strings.Repeat(")", 60)
	other := list(t, h, map[string]any{"filter": isJob, "pageSize": 1}).NextPageToken
	tests := []struct {
		name   string
		change map[string]any
		status int
		want   string
	}{
		{"NoJob", map[string]any{"filter": `resource.type="ml_job"`}, 400, "must name one job"},
		{"EitherJob", map[string]any{"filter": isJob + ` OR resource.labels.job_id="j2"`}, 400, "must name one job"},
		{"Empty", map[string]any{"filter": ""}, 400, "must name one job"},
		{"Field", map[string]any{"filter": isJob + ` AND severity>=ERROR`}, 400, `"severity" is not supported; there are resource.type`},
		{"Operator", map[string]any{"filter": `resource.labels.job_id:"j1"`}, 400, "cannot be compared with :"},
		{"Not", map[string]any{"filter": isJob + ` AND NOT resource.type="x"`}, 400, "NOT is not supported"},
		{"Minus", map[string]any{"filter": isJob + ` -resource.type="x"`}, 400, "NOT is not supported"},
		{"Time", map[string]any{"filter": isJob + ` AND timestamp>"yesterday"`}, 400, "not an RFC 3339 time"},
		{"Open", map[string]any{"filter": "(" + isJob}, 400, "a ) is missing before end"},
		{"Closed", map[string]any{"filter": isJob + ")"}, 400, `unexpected ")"`},
		{"String", map[string]any{"filter": `resource.labels.job_id="j1`}, 400, "a string is not closed"},
		{"Dangling", map[string]any{"filter": isJob + " AND"}, 400, "unexpected end"},
		{"Word", map[string]any{"filter": "error"}, 400, "error is not compared with anything"},
		{"Sign", map[string]any{"filter": isJob + " !"}, 400, `unexpected "!"`},
		{"NoValue", map[string]any{"filter": "timestamp>"}, 400, "has no value"},
		{"Deep", map[string]any{"filter": deep}, 400, "nested more than"},
		{"Long", map[string]any{"filter": strings.Repeat(" ", 20001)}, 400, "longer than"},
		{"Descending", map[string]any{"orderBy": "timestamp desc"}, 501, "ascending order only"},
		{"Order", map[string]any{"orderBy": "severity"}, 400, "is not an order"},
		{"PageSize", map[string]any{"pageSize": -1}, 400, "must not be negative"},
		{"Token", map[string]any{"pageToken": "x"}, 400, "pageToken"},
		{"OthersToken", map[string]any{"pageToken": other, "filter": isJob + " "}, 400, "not one of this filter's"},
		{"NoProject", map[string]any{"resourceNames": []string{}}, 400, "Name one project"},
		{"Folder", map[string]any{"resourceNames": []string{"folders/1"}}, 400, "is not supported"},
		{"OtherProject", map[string]any{"resourceNames": []string{"projects/other"}}, 404, "NOT_FOUND"},
		{"UnknownField", map[string]any{"order": "x"}, 400, `Unknown name`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := map[string]any{"resourceNames": []string{"projects/hearth"}, "filter": isJob}
			for k, v := range tt.change {
				in[k] = v
			}
			body, _ := json.Marshal(in)
			status, text := call(t, h, string(body))
			var o struct{ Error struct{ Message string } }
			_ = json.Unmarshal([]byte(text), &o)
			if status != tt.status || !strings.Contains(o.Error.Message+text, tt.want) {
				t.Errorf("%d %s\nwant %d %s", status, text, tt.status, tt.want)
			}
		})
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add(gcloud + inTask)
	f.Add(isJob + ` AND ((timestamp="2024-05-06T07:08:12Z" AND insertId>"0") OR timestamp>"2024-05-06T07:08:12Z")`)
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := parseFilter(text)
		if err != nil {
			return
		}
		// An entry that matches is never outside of what is read for it.
		e := logs.Entry{Time: start, InsertID: "5", Task: "environment"}
		job := filter.only(fieldJob)
		if !filter.matches(job, &e) || job == "" {
			return
		}
		if task := filter.only(fieldTask, fieldResourceTask); task != "" && task != e.Task {
			t.Errorf("%q matches, but only task %q is read", text, task)
		}
		if e.Time.Before(filter.from()) || !e.Time.Before(filter.before()) {
			t.Errorf("%q matches, but is read from %v to %v only", text, filter.from(), filter.before())
		}
	})
}

func text(s string) *string { return &s }
