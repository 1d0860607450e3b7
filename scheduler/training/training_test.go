package training

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/ml"
	"hearth/scheduler/runtimes"
	"hearth/storage/metadata"
)

var master = ml.Replica{Kind: ml.ReplicaMaster}

func program() Program {
	return Program{
		Project: "hearth",
		Job: &ml.Job{JobID: "digits_1", TrainingInput: &ml.TrainingInput{
			ScaleTier: "BASIC", PackageURIs: []string{"gs://b/t.tar.gz"}, PythonModule: "trainer.task",
			Args: []string{"--query", "a<b&c", ""}, Region: "r", JobDir: "gs://b/out", RuntimeVersion: "2.21", PythonVersion: "3.11",
		}},
		Folder:      "/data/attempts/hearth.digits_1.1",
		Runtime:     &runtimes.Runtime{Name: "2.21", Environment: map[string]string{"TF_USE_LEGACY_KERAS": "1"}},
		Environment: &runtimes.Environment{Dir: "/data/environments/K"},
		Access:      Access{Address: "127.0.0.1:8080", CABundle: "/data/tls/bundle.pem"},
		Secret:      "S",
		Replicas:    []metadata.Replica{{Replica: master, GPUs: []string{"GPU-1", "GPU-2"}}},
		Limits:      ml.Limits{MemoryBytes: 5}, Grace: time.Second,
	}
}

func TestProgram_Process(t *testing.T) {
	p, err := program().Process(program().Replicas[0])
	if err != nil {
		t.Fatal(err)
	}
	want := "/data/environments/K/bin/python|-m|trainer.task|--query|a<b&c||--job-dir|gs://b/out"
	if got := strings.Join(p.Args, "|"); got != want {
		t.Errorf("command %s, want %s", got, want)
	}
	if p.Weight != ml.WeightIdle || p.Limits.MemoryBytes != 5 || p.Grace != time.Second || p.Dir != "/data/attempts/hearth.digits_1.1/scratch/master-replica-0/work" {
		t.Errorf("process %+v", p)
	}
	env := map[string]string{}
	for _, kv := range p.Env {
		name, value, _ := strings.Cut(kv, "=")
		if _, twice := env[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		env[name] = value
	}
	const job = `{"args":["--query","a<b&c",""],"job_dir":"gs://b/out","package_uris":["gs://b/t.tar.gz"],"python_module":"trainer.task",` +
		`"python_version":"3.11","region":"r","run_on_raw_vm":true,"runtime_version":"2.21","scale_tier":"BASIC"}`
	for name, want := range map[string]string{
		"TF_CONFIG":            `{"cluster":{},"task":{},"job":` + job + `,"environment":"cloud"}`,
		"CLOUD_ML_JOB":         job,
		"CLOUD_ML_JOB_ID":      "digits_1",
		"CUDA_VISIBLE_DEVICES": "GPU-1,GPU-2",
		"TF_USE_LEGACY_KERAS":  "1",
		"HTTPS_PROXY":          "http://hearth.digits_1:S@127.0.0.1:8080",
		"GCE_METADATA_IP":      "127.0.0.1:8080",
		"SSL_CERT_FILE":        "/data/tls/bundle.pem",
		"PATH":                 "/data/environments/K/bin:/usr/local/bin:/usr/bin:/bin",
	} {
		if env[name] != want {
			t.Errorf("%s is %s, want %s", name, env[name], want)
		}
	}
	t.Run("no job folder", func(t *testing.T) {
		r := program()
		r.Job.TrainingInput.JobDir, r.Job.TrainingInput.Args = "", nil
		if p, _ := r.Process(r.Replicas[0]); len(p.Args) != 3 {
			t.Errorf("command %q", p.Args)
		}
	})
}

func TestCluster(t *testing.T) {
	replicas := []metadata.Replica{
		{Replica: master, Port: 20000},
		{Replica: ml.Replica{Kind: ml.ReplicaWorker}, Port: 20001},
		{Replica: ml.Replica{Kind: ml.ReplicaWorker, Index: 1}, Port: 20002},
		{Replica: ml.Replica{Kind: ml.ReplicaParameterServer}, Port: 20003},
		{Replica: ml.Replica{Kind: ml.ReplicaEvaluator}},
	}
	const members = `"ps":["127.0.0.1:20003"],"worker":["127.0.0.1:20001","127.0.0.1:20002"]}`
	for _, c := range []struct {
		replica int
		master  string
		want    string
	}{
		{0, "chief", `{"cluster":{"chief":["127.0.0.1:20000"],` + members + `,"task":{"type":"chief","index":0},"environment":"cloud"}`},
		{0, "master", `{"cluster":{"master":["127.0.0.1:20000"],` + members + `,"task":{"type":"master","index":0},"environment":"cloud"}`},
		{2, "chief", `{"cluster":{"chief":["127.0.0.1:20000"],` + members + `,"task":{"type":"worker","index":1},"environment":"cloud"}`},
		{4, "chief", `{"cluster":{"chief":["127.0.0.1:20000"],` + members + `,"task":{"type":"evaluator","index":0},"environment":"cloud"}`},
	} {
		if got, err := NewCluster(replicas, c.master).TFConfig(replicas[c.replica].Replica, c.master, nil); err != nil || got != c.want {
			t.Errorf("replica %d: %s, %v, want %s", c.replica, got, err, c.want)
		}
	}
}

func TestMasterName(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		runtime string
		wanted  *bool
		want    string
	}{
		{"2.21", nil, "chief"}, {"2.21-keras2", nil, "chief"}, {"2.1", nil, "chief"}, {"2.0", nil, "master"}, {"1.15", nil, "master"},
		{"2.15", &no, "master"}, {"1.15", &yes, "chief"}, {"nightly", nil, "chief"},
	} {
		if got := MasterName(c.runtime, c.wanted); got != c.want {
			t.Errorf("%s: %s, want %s", c.runtime, got, c.want)
		}
	}
}

func TestSnakeKey(t *testing.T) {
	for in, want := range map[string]string{"jobDir": "job_dir", "packageUris": "package_uris", "args": "args", "useChiefInTfConfig": "use_chief_in_tf_config"} {
		if got := snakeKey(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	nested := map[string]any{"masterConfig": map[string]any{"acceleratorConfig": map[string]any{"count": "2"}}, "listOf": []any{map[string]any{"aB": 1}}}
	b, _ := json.Marshal(snakeCase(nested))
	if want := `{"list_of":[{"a_b":1}],"master_config":{"accelerator_config":{"count":"2"}}}`; string(b) != want {
		t.Errorf("%s, want %s", b, want)
	}
}

func TestFailure(t *testing.T) {
	const stderr = "some warning\nTraceback (most recent call last):\n  File \"a.py\"\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\n" +
		"Traceback (most recent call last):\n  File \"b.py\", line 1\nValueError: no such column\nfor two reasons\n"
	for _, c := range []struct {
		name   string
		exit   ml.Exit
		stderr string
		want   string
	}{
		{"traceback", ml.Exit{Code: 3}, stderr,
			"The replica master 0 exited with a non-zero status of 3. Traceback (most recent call last):\n  File \"b.py\", line 1\nValueError: no such column\nfor two reasons"},
		{"no traceback", ml.Exit{Code: 1}, "python: No module named trainer.task\n",
			"The replica master 0 exited with a non-zero status of 1. python: No module named trainer.task"},
		{"silent", ml.Exit{Code: 7}, "", "The replica master 0 exited with a non-zero status of 7."},
		{"signal", ml.Exit{Code: 139, Signal: "SIGSEGV"}, "", "The replica master 0 was ended by SIGSEGV (status 139)."},
		{"memory", ml.Exit{Code: 137, OutOfMemory: true}, stderr, "The replica master 0 ran out of memory (limit 12.3 GiB)."},
		{"restart", ml.Exit{Code: -1, Lost: true, Reason: "the host restarted"}, stderr, "The replica master 0 was lost: the host restarted."},
		{"not started", ml.Exit{Code: -1, Reason: "exec format error."}, "", "The replica master 0 could not be started: exec format error."},
	} {
		if got := Failure(master, c.exit, c.stderr, 13207024435); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	t.Run("long", func(t *testing.T) {
		long := tracebackHead + "\n" + strings.Repeat("  File \"x\"\n", 5000) + "RecursionError: deep\n"
		got := Failure(master, ml.Exit{Code: 1}, long, 0)
		if len(got) > maxDetail+100 || !strings.Contains(got, tracebackHead+"\n...\n  File") || !strings.HasSuffix(got, "RecursionError: deep") {
			t.Errorf("%d bytes: %.100s … %s", len(got), got, got[len(got)-40:])
		}
	})
	t.Run("one endless line", func(t *testing.T) {
		got := Failure(master, ml.Exit{Code: 1}, strings.Repeat("é", maxDetail), 0)
		if len(got) > maxDetail+100 || !json.Valid([]byte(mustJSON(got))) {
			t.Errorf("%d bytes", len(got))
		}
	})
}

func mustJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestEnvironmentFailure(t *testing.T) {
	const stderr = "WARNING: old\n  error: subprocess-exited-with-error\n  RuntimeError: broken\nERROR: Failed to build x\n"
	got := EnvironmentFailure(ml.Exit{Code: 1}, stderr, 0)
	if want := "The trainer's packages could not be installed. error: subprocess-exited-with-error\n  RuntimeError: broken\nERROR: Failed to build x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := EnvironmentFailure(ml.Exit{Code: 137, OutOfMemory: true}, stderr, 1<<30); !strings.Contains(got, "ran out of memory (limit 1.0 GiB)") {
		t.Errorf("got %q", got)
	}
	if got := EnvironmentFailure(ml.Exit{Code: -1, Lost: true, Reason: "the host restarted"}, "", 0); !strings.Contains(got, ": the host restarted.") {
		t.Errorf("got %q", got)
	}
}

func TestEnvironmentFailure_Pins(t *testing.T) {
	const missing = "ERROR: Could not find a version that satisfies the requirement humanize==99 (from trainer) (from versions: %s)\nERROR: No matching distribution found for humanize==99 (from trainer)\n"
	for _, c := range []struct{ name, stderr, want string }{
		{"the runtime's own", "ERROR: Cannot install trainer==0.1 because these package versions have conflicting dependencies.\n\nThe conflict is caused by:\n    trainer 0.1 depends on numpy==2.1.0\n    The user requested (constraint) numpy==1.26.4\n",
			"trainer 0.1 asks for numpy==2.1.0; the runtime has numpy 1.26.4, which its TensorFlow needs."},
		{"no such version", fmt.Sprintf(missing, "4.16.0, 4.17.0"), "trainer asks for humanize==99; there are 4.16.0, 4.17.0."},
		{"no such project", fmt.Sprintf(missing, "none"), "trainer asks for humanize==99, and nothing of that name can be found for this Python."},
		{"no network", "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError('[Errno 111] Connection refused')'\n" + fmt.Sprintf(missing, "none"),
			"trainer asks for humanize==99, and no package index can be reached from this machine."},
	} {
		if got := EnvironmentFailure(ml.Exit{Code: 1}, c.stderr, 0); !strings.HasPrefix(got, "The trainer's packages could not be installed. "+c.want) {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

func TestFolder_Fetch(t *testing.T) {
	f := Folder(filepath.Join(t.TempDir(), "hearth.a.1"))
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	opened := 0
	open := func(_ context.Context, bucket, object string) (io.ReadCloser, error) {
		opened++
		if object == "missing.whl" {
			return nil, ml.Errorf(ml.NotFound, "No such object.")
		}
		return io.NopCloser(strings.NewReader(bucket + "/" + object)), nil
	}
	uris := []string{"gs://a/x/t.whl", "gs://b/t.whl"}
	paths, err := f.Fetch(t.Context(), open, uris)
	if err != nil || len(paths) != 2 || paths[0] == paths[1] {
		t.Fatalf("got %v, %v", paths, err)
	}
	for i, want := range []string{"a/x/t.whl", "b/t.whl"} {
		b, err := os.ReadFile(paths[i])
		if err != nil || string(b) != want || filepath.Base(paths[i]) != "t.whl" {
			t.Errorf("%s holds %q, %v", paths[i], b, err)
		}
	}
	if _, err := f.Fetch(t.Context(), open, uris); err != nil || opened != 2 {
		t.Errorf("the second time: %v, %d reads", err, opened)
	}
	_, err = f.Fetch(t.Context(), open, append(uris, "gs://a/missing.whl"))
	if e := (*ml.Error)(nil); !errors.As(err, &e) || e.Message != "The package gs://a/missing.whl cannot be read: No such object." {
		t.Errorf("a missing package gave %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Fetch(cancelled, open, append(uris, "gs://a/new.whl")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled fetch gave %v", err)
	}
	if err := f.Clear(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(string(f)); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestSecret(t *testing.T) {
	a := Secret([]byte("key"), "hearth", "digits_1")
	if len(a) != 43 || a != Secret([]byte("key"), "hearth", "digits_1") {
		t.Errorf("secret %q", a)
	}
	if a == Secret([]byte("other"), "hearth", "digits_1") || a == Secret([]byte("key"), "hearth", "digits_2") {
		t.Error("two secrets are the same")
	}
	hash := SecretHash(a)
	if !SecretMatches(a, hash) || SecretMatches(a+"x", hash) || SecretMatches("", nil) || bytes.Contains(hash, []byte(a)) {
		t.Error("the hash does not tell secrets apart")
	}
}

func TestWarnings(t *testing.T) {
	if got := Warnings(&ml.TrainingInput{}); got != nil {
		t.Errorf("warnings %q", got)
	}
	got := Warnings(&ml.TrainingInput{Region: "r", Network: "n", ServiceAccount: "s", EncryptionConfig: json.RawMessage("{}"),
		MasterConfig: &ml.ReplicaConfig{DiskConfig: json.RawMessage("{}")}})
	if len(got) != 5 || !strings.HasPrefix(got[0], "region has no effect here") {
		t.Errorf("warnings %q", got)
	}
}
