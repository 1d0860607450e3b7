package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// apiError takes Google's error object apart.
func apiError(t *testing.T, v map[string]any) (code int, status, message string) {
	t.Helper()
	e, ok := v["error"].(map[string]any)
	if !ok {
		t.Fatalf("not Google's error form: %v", v)
	}
	code = int(e["code"].(float64))
	status, _ = e["status"].(string)
	message, _ = e["message"].(string)
	return code, status, message
}

func TestBadInput_IsRefusedAndChangesNothing(t *testing.T) {
	d := newDaemon(t)
	uri := d.upload(trainer(t, "print('hi')"), "fine")
	d.must("models", "create", "empty", "--regions", "us-central1")
	d.submit("taken", uri)
	d.wait("taken")
	const jobs, models = "/v1/projects/hearth/jobs", "/v1/projects/hearth/models"
	job := func(id, packageURI, runtime string) string {
		return fmt.Sprintf(`{"jobId":%q,"trainingInput":{"packageUris":[%q],"pythonModule":"trainer.task","region":"r","runtimeVersion":%q}}`, id, packageURI, runtime)
	}
	before := d.inventory()
	for name, c := range map[string]struct {
		path, body   string
		code         int
		status, want string
	}{
		"unknown field":      {jobs, `{"jobId":"a","trainingInput":{"colour":"red"}}`, 400, "INVALID_ARGUMENT", "colour"},
		"bad enum":           {jobs, `{"jobId":"a","trainingInput":{"scaleTier":"HUGE","packageUris":["gs://jobs/fine.tar.gz"],"pythonModule":"m","region":"r"}}`, 400, "INVALID_ARGUMENT", "HUGE"},
		"bad job name":       {jobs, job("1-a", uri, "test"), 400, "INVALID_ARGUMENT", "1-a"},
		"bad model name":     {models, `{"name":"a-b"}`, 400, "INVALID_ARGUMENT", "a-b"},
		"duplicate job":      {jobs, job("taken", uri, "test"), 409, "ALREADY_EXISTS", ""},
		"duplicate model":    {models, `{"name":"empty"}`, 409, "ALREADY_EXISTS", ""},
		"missing package":    {jobs, job("a", "gs://jobs/absent.tar.gz", "test"), 400, "INVALID_ARGUMENT", "gs://jobs/absent.tar.gz"},
		"unknown runtime":    {jobs, job("a", uri, "9.99"), 400, "INVALID_ARGUMENT", "2.21"},
		"truncated JSON":     {jobs, `{"jobId":"a","trainingInput":{`, 400, "INVALID_ARGUMENT", "JSON"},
		"no version":         {models + "/empty:predict", `{"instances":[1]}`, 0, "", "version"},
		"no model":           {models + "/absent:predict", `{"instances":[1]}`, 404, "NOT_FOUND", "absent"},
		"version, no model":  {models + "/absent/versions", `{"name":"v1","deploymentUri":"gs://models/x"}`, 404, "NOT_FOUND", "absent"},
		"version, no uri":    {models + "/empty/versions", `{"name":"v1"}`, 400, "INVALID_ARGUMENT", "deploymentUri"},
		"version's runtime":  {models + "/empty/versions", `{"name":"v1","deploymentUri":"gs://models/x","runtimeVersion":"9.99"}`, 400, "INVALID_ARGUMENT", "2.21"},
		"other project":      {"/v1/projects/other/models", `{"name":"m"}`, 404, "NOT_FOUND", "other"},
		"tuning":             {jobs, `{"jobId":"a","trainingInput":{"hyperparameters":{},"packageUris":["gs://jobs/fine.tar.gz"],"pythonModule":"m","region":"r"}}`, 501, "UNIMPLEMENTED", ""},
		"method not offered": {"/v1/projects/hearth:explain", `{}`, 501, "UNIMPLEMENTED", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := d.in(t)
			got, body := d.call("POST", c.path, c.body)
			code, status, message := apiError(t, body)
			if got < 400 || got >= 600 || code != got || c.code != 0 && got != c.code || c.status != "" && status != c.status {
				t.Errorf("answered %d %v, want %d %s", got, body, c.code, c.status)
			}
			full, _ := json.Marshal(body)
			if !strings.Contains(string(full), c.want) {
				t.Errorf("%q does not say %q", message, c.want)
			}
		})
	}
	if after := d.inventory(); after != before {
		t.Errorf("refused requests changed something:\nbefore %s\nafter  %s", before, after)
	}
}

// inventory is all that the API shows: it must not change by a refused request.
func (d *daemon) inventory() string {
	d.t.Helper()
	var all []string
	for _, path := range []string{"/v1/projects/hearth/jobs", "/v1/projects/hearth/models", "/v1/projects/hearth/models/empty/versions", "/storage/v1/b"} {
		_, b := d.raw("GET", path, "")
		all = append(all, string(b))
	}
	return strings.Join(all, "\n")
}

func TestBadInput_Predict(t *testing.T) {
	d := newDaemon(t, "[predict]", `max_body = "64KiB"`)
	d.model("half", "half_plus_two")
	d.model("wide", "widedeep_tabular")
	for name, c := range map[string]struct {
		model, body string
		code        int
		want        string
	}{
		"wrong shape":    {"half", `{"instances":[[1,2]]}`, 400, "Prediction failed"},
		"wrong type":     {"half", `{"instances":["one"]}`, 400, "Prediction failed"},
		"missing input":  {"wide", `{"instances":[{"age":1.0,"hours_per_week":2.0,"education":"x","occupation":"y"}]}`, 400, "gender"},
		"unknown input":  {"wide", `{"instances":[{"age":1.0,"hours_per_week":2.0,"education":"x","occupation":"y","gender":"z","colour":"red"}]}`, 400, "colour"},
		"no instances":   {"half", `{}`, 400, "instances"},
		"empty":          {"half", `{"instances":[]}`, 400, "instances"},
		"truncated":      {"half", `{"instances":[1,2`, 400, ""},
		"no signature":   {"half", `{"instances":[1],"signature_name":"other"}`, 400, "other"},
		"wrong of two":   {"wide", `{"instances":[1],"signature_name":"other"}`, 400, "other"},
		"deep":           {"half", `{"instances":` + strings.Repeat("[", 30000) + `}`, 400, ""},
		"body too large": {"half", `{"instances":[` + strings.Repeat("1,", 40000) + `1]}`, 413, "65536"},
	} {
		t.Run(name, func(t *testing.T) {
			d := d.in(t)
			got, body := d.raw("POST", "/v1/projects/hearth/models/"+c.model+":predict", c.body)
			if got != c.code || !strings.Contains(string(body), c.want) {
				t.Errorf("answered %d %s, want %d with %q", got, body, c.code, c.want)
			}
		})
	}
	d.checkHalf("half")
}

func TestBadInput_Version(t *testing.T) {
	exports := filepath.Join(fromEnv(t, "HEARTH_TEST_EXPORTS"), "2.21")
	d := newDaemon(t)
	d.must("storage", "buckets", "create", "gs://models")
	d.must("models", "create", "m", "--regions", "us-central1")
	for name, spoil := range map[string]func(dir string) error{
		"truncated": func(dir string) error {
			return os.Truncate(filepath.Join(dir, "variables", "variables.data-00000-of-00001"), 3)
		},
		"index":    func(dir string) error { return os.Truncate(filepath.Join(dir, "variables", "variables.index"), 20) },
		"no_asset": func(dir string) error { return os.Remove(filepath.Join(dir, "assets", "words.txt")) },
		"garbled": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "saved_model.pb"), []byte("not a SavedModel"), 0o600)
		},
		"no_graph": func(dir string) error { return os.Remove(filepath.Join(dir, "saved_model.pb")) },
	} {
		dir := t.TempDir()
		check(t, os.CopyFS(dir, os.DirFS(filepath.Join(exports, "table_by_main_op", "1"))))
		check(t, spoil(dir))
		d.must("storage", "cp", "-r", dir+"/", "gs://models/"+name+"/")
	}
	for _, name := range []string{"unknown_operation", "keras3_by_saved_model"} {
		d.must("storage", "cp", "-r", filepath.Join(exports, name, "1")+"/", "gs://models/"+name+"/")
	}
	for version, c := range map[string]struct{ origin, want string }{
		"absent":    {"gs://models/absent", "gs://models/absent"},
		"no_bucket": {"gs://no-such-bucket/m", "no-such-bucket"},
		"no_graph":  {"gs://models/no_graph", "saved_model.pb"},
		"truncated": {"gs://models/truncated", "one may be cut short"},
		"index":     {"gs://models/index", "one may be cut short"},
		"no_asset":  {"gs://models/no_asset", "file assets/words.txt is missing"},
		"garbled":   {"gs://models/garbled", "not a SavedModel"},
		"operation": {"gs://models/unknown_operation", "operation OurGrad, which this TensorFlow does not know"},
		"keras3":    {"gs://models/keras3_by_saved_model", "Export Keras models with `model.export`"},
	} {
		t.Run(version, func(t *testing.T) {
			d := d.in(t)
			_, err := d.hearth("versions", "create", version, "--model", "m", "--origin", c.origin, "--runtime-version", "2.21")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			status, v := d.call("GET", "/v1/projects/hearth/models/m/versions/"+version, "")
			if message, _ := v["errorMessage"].(string); status != 200 || v["state"] != "FAILED" || !strings.Contains(message, c.want) {
				t.Errorf("the version is %d %v, want FAILED with %q", status, v, c.want)
			}
			d.must("versions", "delete", version, "--model", "m", "--quiet")
		})
	}
}
