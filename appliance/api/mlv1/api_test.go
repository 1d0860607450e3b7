package mlv1

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"hearth/ml"
	"hearth/serving"
	"hearth/storage/metadata"
)

// testAPI is the API over a real database. It plays the part of scheduler and
// catalogue by recording what is asked, and that of a version by echoing.
type testAPI struct {
	*metadata.DB
	handler  http.Handler
	released int
	// failure is what Predict gives if it is set.
	failure error
}

func newTestAPI(t *testing.T) *testAPI {
	t.Helper()
	db, err := metadata.Open(filepath.Join(t.TempDir(), "hearth.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	a := &testAPI{DB: db}
	a.handler = New(Options{
		HasProject: func(p string) bool { return p == "hearth" },
		Jobs:       a, JobReader: db, Catalogue: catalogue{db}, CatalogueReader: db, Operations: db, Predictor: a,
		MaxPredictBody: 100,
	})
	return a
}

func (a *testAPI) Submit(_ context.Context, project string, job *ml.Job) (*ml.Job, error) {
	if err := job.ValidateNew(); err != nil {
		return nil, err
	}
	return a.SubmitJob(project, job)
}

func (a *testAPI) Cancel(_ context.Context, project, id string) error {
	_, err := a.CancelJob(project, id)
	return err
}

func (a *testAPI) Predict(_ context.Context, r serving.PredictRequest) (serving.PredictResponse, error) {
	if a.failure != nil {
		return serving.PredictResponse{}, a.failure
	}
	return serving.PredictResponse{
		Status: 400, ContentType: "application/json", Release: func() { a.released++ },
		Body: fmt.Appendf(nil, `{"error": "%s %s/%s %s"}`, r.Project, r.Model, r.Version, bytes.Clone(r.Body)),
	}, nil
}

// catalogue makes versions without serving them.
type catalogue struct{ db *metadata.DB }

func (c catalogue) CreateModel(_ context.Context, project string, m *ml.Model) (*ml.Model, error) {
	return c.db.CreateModel(project, m)
}

func (c catalogue) DeleteModel(_ context.Context, project, model string) (*ml.Operation, error) {
	return c.db.DeleteModel(project, model)
}

func (c catalogue) CreateVersion(_ context.Context, project, model string, v *ml.Version) (*ml.Operation, error) {
	_, op, err := c.db.CreateVersion(project, model, v)
	return op, err
}

func (c catalogue) DeleteVersion(_ context.Context, project, model, version string) (*ml.Operation, error) {
	return c.db.BeginDeleteVersion(project, model, version)
}

func (c catalogue) SetModelPolicy(_ context.Context, project, model string, p *ml.Policy) (*ml.Policy, error) {
	return c.db.SetModelPolicy(project, model, p)
}

func (c catalogue) SetDefault(_ context.Context, project, model, version string) (*ml.Version, error) {
	return c.db.SetDefaultVersion(project, model, version)
}

// call makes a request and checks the status.
func (a *testAPI) call(t *testing.T, method, path, body string, status int) string {
	t.Helper()
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code != status {
		t.Errorf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	return w.Body.String()
}

const (
	root    = "/v1/projects/hearth"
	goodJob = `{"jobId":"j1","trainingInput":{"scaleTier":"BASIC","region":"r","packageUris":["gs://b/p.tar.gz"],"pythonModule":"trainer.task","args":["--x"]}}`
)

func TestJobs(t *testing.T) {
	a := newTestAPI(t)
	if got := a.call(t, "GET", root+"/jobs?alt=json&pageSize=100", "", 200); got != "{}\n" {
		t.Errorf("an empty list: %s", got)
	}
	var job ml.Job
	if err := json.Unmarshal([]byte(a.call(t, "POST", root+"/jobs?alt=json", goodJob, 200)), &job); err != nil {
		t.Fatal(err)
	}
	if job.JobID != "j1" || job.State != ml.JobQueued || job.CreateTime.IsZero() {
		t.Errorf("%+v", job)
	}
	a.call(t, "POST", root+"/jobs", strings.Replace(goodJob, "j1", "j2", 1), 200)
	var list listJobsResponse
	if err := json.Unmarshal([]byte(a.call(t, "GET", root+"/jobs?pageSize=1", "", 200)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Jobs) != 1 || list.Jobs[0].JobID != "j2" || list.NextPageToken == "" {
		t.Errorf("first page: %+v", list)
	}
	if got := a.call(t, "GET", root+"/jobs?pageToken="+list.NextPageToken, "", 200); !strings.Contains(got, `"jobId": "j1"`) {
		t.Errorf("second page: %s", got)
	}
	if got := a.call(t, "POST", root+"/jobs/j1:cancel", "{}", 200); got != "{}\n" {
		t.Errorf("cancel: %s", got)
	}
	if got := a.call(t, "GET", root+"/jobs/j1", "", 200); !strings.Contains(got, `"state": "CANCELLED"`) {
		t.Errorf("after cancel: %s", got)
	}
}

func TestModelsAndVersions(t *testing.T) {
	a := newTestAPI(t)
	if got := a.call(t, "POST", root+"/models", `{"name":"m","regions":["r"]}`, 200); !strings.Contains(got, `"name": "projects/hearth/models/m"`) {
		t.Errorf("create: %s", got)
	}
	var op ml.Operation
	created := a.call(t, "POST", root+"/models/m/versions", `{"name":"v1","deploymentUri":"gs://b/d","runtimeVersion":"2.21"}`, 200)
	if err := json.Unmarshal([]byte(created), &op); err != nil {
		t.Fatal(err)
	}
	if got := a.call(t, "GET", "/v1/"+op.Name, "", 200); !strings.Contains(got, `"operationType": "CREATE_VERSION"`) {
		t.Errorf("operation: %s", got)
	}
	if got := a.call(t, "GET", root+"/operations", "", 200); !strings.Contains(got, op.Name) {
		t.Errorf("operations: %s", got)
	}
	if _, err := a.FinishVersion("hearth", "m", "v1", nil); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/models":                `"name": "projects/hearth/models/m"`,
		"/models/m":              `"isDefault": true`,
		"/models/m/versions":     `"name": "projects/hearth/models/m/versions/v1"`,
		"/models/m/versions/v1":  `"state": "READY"`,
		"/models/m/versions?x=1": "",
	} {
		status := 200
		if want == "" {
			status = 400
		}
		if got := a.call(t, "GET", root+path, "", status); !strings.Contains(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
	a.call(t, "POST", root+"/models/m/versions/v1:setDefault", "{}", 200)
	a.call(t, "DELETE", root+"/models/m", "", 400)
	if got := a.call(t, "DELETE", root+"/models/m/versions/v1", "", 200); !strings.Contains(got, "DELETE_VERSION") {
		t.Errorf("delete: %s", got)
	}
	if err := a.FinishDeleteVersion("hearth", "m", "v1"); err != nil {
		t.Fatal(err)
	}
	a.call(t, "DELETE", root+"/models/m", "", 200)
	a.call(t, "GET", root+"/models/m", "", 404)
}

func TestErrors(t *testing.T) {
	a := newTestAPI(t)
	a.call(t, "POST", root+"/jobs", goodJob, 200)
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"OtherProject", "GET", "/v1/projects/other/jobs", "", 404, "NOT_FOUND"},
		{"OtherProjectPredict", "POST", "/v1/projects/other/models/m:predict", "{}", 404, `Project \"other\" was not found.`},
		{"Duplicate", "POST", root + "/jobs", goodJob, 409, "ALREADY_EXISTS"},
		{"UnknownField", "POST", root + "/jobs", `{"jobId":"a","trainingInput":{"pythonModul":"x"}}`, 400, `Unknown name \"pythonModul\" at 'trainingInput'`},
		{"BadName", "POST", root + "/jobs", strings.Replace(goodJob, "j1", "1-bad", 1), 400, "Field: jobId Error:"},
		{"BadEnum", "POST", root + "/jobs", strings.Replace(goodJob, "BASIC", "HUGE", 1), 400, "scaleTier"},
		{"Truncated", "POST", root + "/jobs", goodJob[:40], 400, "Invalid JSON payload received."},
		{"NoJob", "GET", root + "/jobs/none", "", 404, "NOT_FOUND"},
		{"CancelNone", "POST", root + "/jobs/none:cancel", "", 404, "NOT_FOUND"},
		{"CancelWithFields", "POST", root + "/jobs/j1:cancel", `{"force":true}`, 400, `Unknown name \"force\"`},
		{"Filter", "GET", root + "/jobs?filter=state:FAILED", "", 501, "Field: filter Error:"},
		{"BadToken", "GET", root + "/jobs?pageToken=x", "", 400, "pageToken"},
		{"NoModel", "GET", root + "/models/none", "", 404, "NOT_FOUND"},
		{"NoOperation", "GET", root + "/operations/none", "", 404, "NOT_FOUND"},
		{"VersionOfNoModel", "POST", root + "/models/none/versions", `{"name":"v","deploymentUri":"gs://b/d"}`, 404, "NOT_FOUND"},
		{"Patch", "PATCH", root + "/models/m?updateMask=description", "{}", 501, "UNIMPLEMENTED"},
		{"Explain", "POST", root + "/models/m:explain", "{}", 501, "UNIMPLEMENTED"},
		{"PredictProject", "POST", root + ":predict", "{}", 400, "Field: name Error:"},
		{"PredictQuery", "POST", root + "/models/m:predict?x=1", "{}", 400, "Cannot bind query parameter"},
		{"PredictTooLarge", "POST", root + "/models/m:predict", strings.Repeat(" ", 101), 413, "Request payload size exceeds the limit: 100 bytes."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := a.call(t, tt.method, tt.path, tt.body, tt.status); !strings.Contains(got, tt.want) {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestPredict(t *testing.T) {
	a := newTestAPI(t)
	for _, tt := range []struct{ path, body, want string }{
		{"/models/m:predict", "[1]", "hearth m/ [1]"},
		{"/models/m:predict?alt=json", "", "hearth m/ "},
		{"/models/m/versions/v:predict", "[2]", "hearth m/v [2]"},
	} {
		if got := a.call(t, "POST", root+tt.path, tt.body, 400); got != `{"error": "`+tt.want+`"}` {
			t.Errorf("%s: %s", tt.path, got)
		}
	}
	if a.released != 3 {
		t.Errorf("%d answers of 3 were released", a.released)
	}
	a.failure = ml.Errorf(ml.Unavailable, "The version's worker ended.")
	if got := a.call(t, "POST", root+"/models/m:predict", "[1]", 503); !strings.Contains(got, `"status": "UNAVAILABLE"`) {
		t.Errorf("%s", got)
	}
	// A body of unknown length is held to the limit as well.
	for _, size := range []int{100, 101} {
		r := httptest.NewRequest("POST", root+"/models/m:predict", strings.NewReader(strings.Repeat(" ", size)))
		r.ContentLength = -1
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		if want := map[int]int{100: 503, 101: 413}[size]; w.Code != want {
			t.Errorf("%d bytes in chunks: %d, want %d", size, w.Code, want)
		}
	}
}
