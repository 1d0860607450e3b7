package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func decode(r io.Reader, v any) error { return json.NewDecoder(r).Decode(v) }

// example is the folder of the quickstart's trainer.
func example(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../examples/digits")
	check(t, err)
	return dir
}

// script runs a shell script with the CLI on the PATH, as a user would type it.
func (d *daemon) script(text string) (string, error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Dir = d.t.TempDir()
	cmd.Env = append(d.env(), "PATH="+filepath.Dir(binary(d.t))+":"+os.Getenv("PATH"), "HOME="+d.t.TempDir(),
		"EXAMPLE="+example(d.t), "CLIENTS="+os.Getenv("HEARTH_TEST_CLIENTS"), "DATA="+d.data)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// digits puts the quickstart's data into gs://digits.
func (d *daemon) digits() {
	d.t.Helper()
	out, err := d.script(`
hearth storage buckets create gs://digits
python3 "$EXAMPLE/fetch_data.py" .
hearth storage cp digits.csv.gz gs://digits/data/digits.csv.gz`)
	if err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
}

func TestGcloud_TrainsDeploysPredicts(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("gcloud is not installed")
	}
	d := newDaemon(t)
	d.digits()
	out, err := d.script(`
eval "$(hearth env --for gcloud)"
cp -r "$EXAMPLE" digits && cd digits
gcloud ai-platform jobs submit training gcloud_1 --package-path trainer --module-name trainer.task \
  --staging-bucket gs://digits --job-dir gs://digits/gcloud_1 --region us-central1 --runtime-version 2.21 \
  --stream-logs -- --data gs://digits/data/digits.csv.gz
gcloud ai-platform jobs describe gcloud_1 --format 'value(state)'
gcloud ai-platform models create digits --regions us-central1
gcloud ai-platform versions create v1 --model digits --origin gs://digits/gcloud_1/export --runtime-version 2.21 --framework tensorflow
gcloud ai-platform models list --format 'value(name)'
zcat ../digits.csv.gz 2>/dev/null | head -n 1 >/dev/null || true
python3 - >instances.json <<'P'
import json
print(json.dumps([0.0] * 64))
P
gcloud ai-platform predict --model digits --version v1 --json-instances instances.json --format json
`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"SUCCEEDED", "digits", "probabilities"} {
		if !strings.Contains(out, want) {
			t.Errorf("gcloud's output lacks %q:\n%s", want, out)
		}
	}
}

func TestPython_GoogleClientsUnmodified(t *testing.T) {
	fromEnv(t, "HEARTH_TEST_CLIENTS")
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	uri := d.upload(trainer(t, "print('trained')"), "python")
	out, err := d.script(`hearth exec -- "$CLIENTS/bin/python" - ` + uri + ` <<'P'
import sys, time
from googleapiclient import discovery, errors
from google.cloud import storage

ml = discovery.build("ml", "v1")
project = "projects/hearth"
job = {"jobId": "python_1", "trainingInput": {"scaleTier": "BASIC", "packageUris": [sys.argv[1]],
       "pythonModule": "trainer.task", "region": "us-central1", "runtimeVersion": "test"}}
ml.projects().jobs().create(parent=project, body=job).execute()
while "endTime" not in (got := ml.projects().jobs().get(name=project + "/jobs/python_1").execute()):
    time.sleep(0.2)
print("job", got["state"])
ml.projects().models().create(parent=project, body={"name": "python"}).execute()
operation = ml.projects().models().versions().create(parent=project + "/models/python", body={
    "name": "v1", "deploymentUri": "gs://models/half_plus_two/1", "runtimeVersion": "2.21", "framework": "TENSORFLOW"}).execute()
while not operation.get("done"):
    time.sleep(0.2)
    operation = ml.projects().operations().get(name=operation["name"]).execute()
print("version", operation["response"]["state"])
print("predict", ml.projects().predict(name=project + "/models/python", body={"instances": [1.0]}).execute())
try:
    ml.projects().models().get(name=project + "/models/absent").execute()
except errors.HttpError as e:
    print("absent", e.resp.status)
bucket = storage.Client().bucket("jobs")
bucket.blob("from/python.txt").upload_from_string("hello")
print("storage", bucket.blob("from/python.txt").download_as_text(), [b.name for b in bucket.list_blobs(prefix="from/")])
P`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"job SUCCEEDED", "version READY", "predict {'predictions': [{'y': 2.5}]}", "absent 404", "storage hello ['from/python.txt']"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}
