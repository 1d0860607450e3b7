package tests

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/serving/tfrecord"
)

// predictionJob is what a batch prediction is asked for, in the API's words.
type predictionJob map[string]any

// submitPrediction submits a batch prediction by REST.
func (d *daemon) submitPrediction(job string, in predictionJob) {
	d.t.Helper()
	b, err := json.Marshal(map[string]any{"jobId": job, "predictionInput": in})
	check(d.t, err)
	if status, got := d.call("POST", "/v1/projects/hearth/jobs", string(b)); status != 200 {
		d.t.Fatalf("submit %s: %d %v", job, status, got)
	}
}

// fillBucket makes objects of gs://BUCKET, which is made if absent.
func (d *daemon) fillBucket(bucket string, objects map[string]string) {
	d.t.Helper()
	if status, _ := d.call("GET", "/storage/v1/b/"+bucket, ""); status == 404 {
		d.must("storage", "buckets", "create", "gs://"+bucket)
	}
	for name, content := range objects {
		status, got := d.raw("POST", "/upload/storage/v1/b/"+bucket+"/o?uploadType=media&name="+strings.ReplaceAll(name, "/", "%2F"), content)
		if status != 200 {
			d.t.Fatalf("put %s: %d %s", name, status, got)
		}
	}
}

// objectsBelow gives the objects below a folder of a bucket by what follows it.
func (d *daemon) objectsBelow(bucket, folder string) map[string]string {
	d.t.Helper()
	objects := map[string]string{}
	for token := ""; ; {
		_, list := d.call("GET", "/storage/v1/b/"+bucket+"/o?prefix="+folder+"&pageToken="+token, "")
		items, _ := list["items"].([]any)
		for _, item := range items {
			name := item.(map[string]any)["name"].(string)
			status, content := d.raw("GET", "/storage/v1/b/"+bucket+"/o/"+url.PathEscape(name)+"?alt=media", "")
			if status != 200 {
				d.t.Fatalf("read %s: %d %s", name, status, content)
			}
			objects[strings.TrimPrefix(name, folder)] = string(content)
		}
		if token, _ = list["nextPageToken"].(string); token == "" {
			return objects
		}
	}
}

// results gives the lines of all results below a folder, in order.
func (d *daemon) results(bucket, folder string) []string {
	d.t.Helper()
	objects := d.objectsBelow(bucket, folder+"prediction.results-")
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		lines = append(lines, strings.Split(strings.TrimSuffix(objects[name], "\n"), "\n")...)
	}
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

// The whole way of a small batch prediction: from a request to results in the
// bucket.
func TestBatch_Lines(t *testing.T) {
	onBackends(t, func(t *testing.T, b *backend) { batchLines(t, newDaemonOn(t, b)) })
}

func batchLines(t *testing.T, d *daemon) {
	d.model("half", "half_plus_two")
	d.fillBucket("lots", map[string]string{"in/a.json": "1\n2.5\n", "in/b.json": "{\"x\": 5}\r\n\n-4", "in/": "", "in/deeper/c.json": "7\n"})
	d.submitPrediction("half_1", predictionJob{
		"modelName": "projects/hearth/models/half", "dataFormat": "JSON", "inputPaths": []string{"gs://lots/in/*"}, "outputPath": "gs://lots/out/", "region": "here",
	})
	job := d.wait("half_1")
	if job["state"] != "SUCCEEDED" {
		t.Fatalf("got %v", job)
	}
	output := job["predictionOutput"].(map[string]any)
	if output["predictionCount"] != "4" || output["errorCount"] != nil || output["outputPath"] != "gs://lots/out/" || output["nodeHours"] == nil {
		t.Errorf("predictionOutput %v", output)
	}
	want := map[string]string{
		"prediction.results-00000-of-00002":      "{\"y\": 2.5}\n{\"y\": 3.25}\n",
		"prediction.results-00001-of-00002":      "{\"y\": 4.5}\n{\"y\": 0.0}\n",
		"prediction.errors_stats-00000-of-00002": "", "prediction.errors_stats-00001-of-00002": "",
	}
	if got := d.objectsBelow("lots", "out/"); !maps.Equal(got, want) {
		t.Errorf("output %q, want %q", got, want)
	}
	if left, _ := filepath.Glob(filepath.Join(d.data, "batch", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	reads, writes := d.lineage("half_1")
	if len(reads) != 2 || len(writes) != 4 {
		t.Errorf("lineage: read %v, wrote %v", reads, writes)
	}
}

// requestRows gives the instances of a model's requests as lines, and the answers
// to them.
func requestRows(t testing.TB, model, tag string) (lines []string, answers []map[string]any) {
	t.Helper()
	read := func(name string, v any) {
		b, err := os.ReadFile(filepath.Join(fromEnv(t, "HEARTH_TEST_MODELS"), model, name))
		check(t, err)
		check(t, json.Unmarshal(b, v))
	}
	var request struct{ Instances []json.RawMessage }
	var expected struct{ Predictions []map[string]any }
	read(fmt.Sprintf("request%s.json", tag), &request)
	read(fmt.Sprintf("expected%s.json", tag), &expected)
	for _, r := range request.Instances {
		lines = append(lines, string(r))
	}
	return lines, expected.Predictions
}

// The benchmarks' models, in each format that their signatures take, give what
// Python's TensorFlow gives.
func TestBatch_Models(t *testing.T) {
	d := newDaemon(t)
	for i, c := range []struct{ model, tag, signature, format string }{
		{"half_plus_two", "_b32", "", "JSON"},
		{"mlp_784_512_512_10", "_b32", "", "JSON"},
		{"widedeep_tabular", "_b24", "", "JSON"},
		{"widedeep_tabular", "_predict_examples_b4", "predict_examples", "TF_RECORD"},
		{"widedeep_tabular", "_predict_examples_b4", "predict_examples", "TF_RECORD_GZIP"},
		{"mobilenetv2_224", "_b2", "", "JSON"},
		{"mobilenetv2_224", "_serving_jpeg_b8", "serving_jpeg", "TF_RECORD"},
		{"mobilenetv2_224", "_serving_jpeg_b8", "serving_jpeg", "JSON"},
		{"bert_tiny_128", "_b16", "", "JSON"},
		{"every_dtype", "_b2", "", "JSON"},
	} {
		t.Run(fmt.Sprintf("%s%s %s", c.model, c.tag, c.format), func(t *testing.T) {
			d := d.in(t)
			lines, answers := requestRows(t, c.model, c.tag)
			if status, _ := d.call("GET", "/v1/projects/hearth/models/"+c.model, ""); status == 404 {
				d.model(c.model, c.model)
			}
			folder := fmt.Sprintf("models/%d/", i)
			d.fillBucket("lots", map[string]string{folder + "in": encodeRecords(t, lines, c.format)})
			outputs := []string{"JSON"}
			if c.model == "widedeep_tabular" || c.model == "every_dtype" {
				outputs = append(outputs, "CSV")
			}
			for _, output := range outputs {
				job := fmt.Sprintf("model_%d_%s", i, output)
				d.submitPrediction(job, predictionJob{
					"versionName": "projects/hearth/models/" + c.model + "/versions/v1", "dataFormat": c.format, "outputDataFormat": output,
					"signatureName": c.signature, "inputPaths": []string{"gs://lots/" + folder + "in"}, "outputPath": "gs://lots/" + folder + output, "region": "here",
				})
				if got := d.wait(job); got["state"] != "SUCCEEDED" {
					t.Fatalf("%s: %v", output, got)
				}
				results := d.results("lots", folder+output+"/")
				if len(results) != len(answers) {
					t.Fatalf("%s: %d results, want %d", output, len(results), len(answers))
				}
				for n, line := range results {
					got := readResult(t, line, answers[n])
					if err := nearly(got, answers[n]); err != nil {
						t.Errorf("%s, row %d: %v", output, n, err)
					}
				}
			}
		})
	}
}

// encodeRecords makes a file of instances in a format.
func encodeRecords(t testing.TB, lines []string, format string) string {
	t.Helper()
	if format == "JSON" || format == "TEXT" {
		return strings.Join(lines, "\n") + "\n"
	}
	var file []byte
	for _, line := range lines {
		var record struct{ B64 []byte }
		check(t, json.Unmarshal([]byte(line), &record))
		file = tfrecord.Append(file, record.B64)
	}
	if format == "TF_RECORD_GZIP" {
		return gzipped(string(file))
	}
	return string(file)
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

// readResult reads a line of results, JSON or CSV, as an answer with the names of
// another.
func readResult(t testing.TB, line string, like map[string]any) map[string]any {
	t.Helper()
	row := map[string]any{}
	if json.Unmarshal([]byte(line), &row) == nil {
		return row
	}
	fields, err := csv.NewReader(strings.NewReader(line)).Read()
	check(t, err)
	names := slices.Sorted(maps.Keys(like))
	if len(fields) != len(names) {
		t.Fatalf("%d values for the outputs %v: %s", len(fields), names, line)
	}
	for i, name := range names {
		var value any
		if json.Unmarshal([]byte(fields[i]), &value) != nil {
			value = fields[i]
		}
		row[name] = value
	}
	return row
}

// nearly says how two JSON values differ by more than the last digits of a float32.
func nearly(got, want any) error {
	switch w := want.(type) {
	case float64:
		g, ok := got.(float64)
		if !ok || math.Abs(g-w) > 2e-5+1e-4*math.Abs(w) {
			return fmt.Errorf("%v, want %v", got, w)
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("%v, want %v", got, want)
		}
		for i := range w {
			if err := nearly(g[i], w[i]); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("%v, want %v", got, want)
		}
		for name := range w {
			if err := nearly(g[name], w[name]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%v, want %v", got, want)
	}
	return nil
}

// The command line shows a job until its end, and says what became of it.
func TestBatch_CommandLine(t *testing.T) {
	d := newDaemon(t)
	d.must("storage", "buckets", "create", "gs://models")
	d.must("storage", "cp", "-r", filepath.Join(fromEnv(t, "HEARTH_TEST_MODELS"), "half_plus_two", "1"), "gs://models/half")
	d.fillBucket("lots", map[string]string{"in/a": "1\nnone\n3\n"})
	out := d.must("jobs", "submit", "prediction", "by_cli", "--model-dir", "gs://models/half/1", "--runtime-version", "2.21", "--input-paths", "gs://lots/in/*",
		"--data-format", "text", "--output-path", "gs://lots/out", "--batch-size", "2", "--max-worker-count", "1", "--labels", "a=b", "--stream")
	if !strings.Contains(out, "SUCCEEDED") {
		t.Errorf("printed %s", out)
	}
	_, job := d.call("GET", "/v1/projects/hearth/jobs/by_cli", "")
	output := job["predictionOutput"].(map[string]any)
	if output["predictionCount"] != "2" || output["errorCount"] != "1" || job["labels"].(map[string]any)["a"] != "b" {
		t.Errorf("got %v", job)
	}
	want := `{"file":"gs://lots/in/a","offset":2,"reason":"Invalid inputs: instance 0: input x: expected a number for DT_FLOAT, found \"none\" at byte 0 (Error code: 1)"}` + "\n"
	objects := d.objectsBelow("lots", "out/prediction.")
	if objects["errors-00000-of-00001"] != want {
		t.Errorf("errors: %s", objects["errors-00000-of-00001"])
	}
	if objects["errors_stats-00000-of-00001"] != "(Invalid inputs: input x: expected a number for DT_FLOAT, found \"none\" (Error code: 1), 1)\n" {
		t.Errorf("errors_stats: %s", objects["errors_stats-00000-of-00001"])
	}
}

// Inputs that hurt cost themselves and nothing else.
func TestBatch_BadInput(t *testing.T) {
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	d.model("mlp", "mlp_784_512_512_10")
	good := gzipped("1\n2\n")
	d.fillBucket("lots", map[string]string{
		"in/1-empty": "", "in/2-last": "1\n2", "in/3-crlf": "1\r\n2\r\n", "in/4-utf8": "1\n\xff\xfe\n3\n", "in/5.gz": good, "in/6-cut.gz": good[:len(good)-5],
		"in/7-injected": "1, 2\n1] }\n{\"x\": 3}\n{\"x\": [1]}\n[2]\n4\n", "in/": "", "wide/a": "[" + strings.Repeat("1,", 783) + "1]\n[1,2]\n" + "[" + strings.Repeat("2,", 783) + "1]\n",
		"bad/a": "x\ny\n1\n",
	})
	run := func(job, model, from, to string) map[string]any {
		d.submitPrediction(job, predictionJob{"modelName": "projects/hearth/models/" + model, "dataFormat": "JSON", "inputPaths": []string{from}, "outputPath": to, "region": "here"})
		return d.wait(job)
	}
	job := run("hurt", "half", "gs://lots/in/*", "gs://lots/out")
	output, _ := job["predictionOutput"].(map[string]any)
	if job["state"] != "SUCCEEDED" || output["predictionCount"] != "12" || output["errorCount"] != "6" {
		t.Errorf("got %v", job)
	}
	want := "{\"y\": 3.5}\n{\"y\": 4.0}\n"
	if got := d.objectsBelow("lots", "out/prediction.")["results-00006-of-00007"]; got != want {
		t.Errorf("results of the lines that are more than one: %q, want %q", got, want)
	}
	if job := run("wide", "mlp", "gs://lots/wide/a", "gs://lots/wideout"); job["state"] != "SUCCEEDED" || len(d.results("lots", "wideout/")) != 2 {
		t.Errorf("a wrong shape in the middle: %v", job)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"no_match":  {"gs://lots/none/*", "gs://lots/out2", "There is no object that matches gs://lots/none/*"},
		"no_bucket": {"gs://lots/in/*", "gs://nowhere-at-all/out", "The output gs://nowhere-at-all/out cannot be written"},
		"too_bad":   {"gs://lots/bad/a", "gs://lots/out3", "2 of 3 records failed"},
	} {
		job := run(name, "half", c.from, c.to)
		if message, _ := job["errorMessage"].(string); job["state"] != "FAILED" || !strings.Contains(message, c.want) {
			t.Errorf("%s: %v, %q", name, job["state"], message)
		}
	}
}

// A job that is cancelled in the middle of a shard ends, and leaves only results
// that are complete.
func TestBatch_Cancel(t *testing.T) {
	d := newDaemon(t)
	d.model("bert", "bert_tiny_128")
	lines, _ := requestRows(t, "bert_tiny_128", "_b16")
	d.fillBucket("lots", map[string]string{"in/a": strings.Repeat(strings.Join(lines, "\n")+"\n", 2), "in/b": strings.Repeat(strings.Join(lines, "\n")+"\n", 20000)})
	d.submitPrediction("long", predictionJob{
		"modelName": "projects/hearth/models/bert", "dataFormat": "JSON", "inputPaths": []string{"gs://lots/in/*"}, "outputPath": "gs://lots/out", "region": "here",
	})
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		_, p := d.call("GET", "/hearth/v1/projects/hearth/jobs/long/progress", "")
		if p["shards"] == 1.0 && p["predictions"].(float64) > 32 {
			tick.Stop()
			break
		}
	}
	if _, metrics := d.raw("GET", "/metrics", ""); !strings.Contains(string(metrics), `hearth_batch_predictions{job="long",project="hearth"}`) {
		t.Error("the metrics do not tell of the job")
	}
	// Its version may go meanwhile.
	d.must("versions", "delete", "v1", "--model", "bert", "--quiet")
	d.must("jobs", "cancel", "long")
	job := d.wait("long")
	output, _ := job["predictionOutput"].(map[string]any)
	if job["state"] != "CANCELLED" || output["predictionCount"] != "32" {
		t.Errorf("got %v", job)
	}
	if results := d.objectsBelow("lots", "out/prediction.results-"); len(results) != 1 {
		t.Errorf("%d results", len(results))
	}
}

// Google's clients submit batch predictions as they do to the service.
func TestBatch_Clients(t *testing.T) {
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	d.fillBucket("lots", map[string]string{"in/a": "1\n2\n"})
	out, err := d.script(`
eval "$(hearth env --for python)"
"$CLIENTS/bin/python" - <<'END'
from googleapiclient import discovery
ml = discovery.build("ml", "v1")
job = ml.projects().jobs().create(parent="projects/hearth", body={"jobId": "by_python", "predictionInput": {
    "versionName": "projects/hearth/models/half/versions/v1", "dataFormat": "JSON", "inputPaths": ["gs://lots/in/*"],
    "outputPath": "gs://lots/python", "region": "us-central1", "maxWorkerCount": "2"}}).execute()
print(job["state"])
END`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	clients := []string{"python"}
	if _, err := exec.LookPath("gcloud"); err == nil {
		clients = append(clients, "gcloud")
		out, err := d.script(`
eval "$(hearth env --for gcloud)"
gcloud ai-platform jobs submit prediction by_gcloud --model half --version v1 --input-paths 'gs://lots/in/*' --data-format text \
    --output-path gs://lots/gcloud --region us-central1 --batch-size 1 --max-worker-count 1 --labels a=b`)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for _, client := range clients {
		if job := d.wait("by_" + client); job["state"] != "SUCCEEDED" {
			t.Errorf("%s: %v", client, job)
		}
		if got := d.results("lots", client+"/"); !slices.Equal(got, []string{`{"y": 2.5}`, `{"y": 3.0}`}) {
			t.Errorf("%s: %q", client, got)
		}
	}
}

// A bucket whose disk is full fails the job, which says so.
func TestBatch_DiskFull(t *testing.T) {
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	d.fillBucket("lots", map[string]string{"in/a": "1\n"})
	d.kill()
	d.configure(&backend{name: "local"}, "[storage]\nreserve = \"100%\"\n")
	d.restart()
	d.submitPrediction("full", predictionJob{
		"modelName": "projects/hearth/models/half", "dataFormat": "JSON", "inputPaths": []string{"gs://lots/in/*"}, "outputPath": "gs://lots/out", "region": "here",
	})
	job := d.wait("full")
	if message, _ := job["errorMessage"].(string); job["state"] != "FAILED" || !strings.Contains(message, "cannot be written: The disk of the bucket is full") {
		t.Errorf("got %v", job)
	}
}
