package ml

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

const goodJob = `{"jobId":"digits_1","trainingInput":{"packageUris":["gs://b/trainer-0.1.tar.gz"],"pythonModule":"trainer.task"}}`

func parseJob(t *testing.T, text string) *Job {
	t.Helper()
	j := &Job{}
	if err := json.Unmarshal([]byte(text), j); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestJob_ValidateNew(t *testing.T) {
	with := func(fields string) string {
		return strings.TrimSuffix(goodJob, "}}") + "," + fields + "}}"
	}
	for _, text := range []string{
		goodJob,
		with(`"scaleTier":"BASIC","region":"us-central1","jobDir":"gs://b/out/","args":["--x=1",""],"runtimeVersion":"2.21","pythonVersion":"3.11"`),
		with(`"scaleTier":"BASIC_GPU","scheduling":{"maxRunningTime":"3600s","priority":1000}`),
		with(`"scaleTier":"CUSTOM","masterType":"n1-standard-4","masterConfig":{"acceleratorConfig":{"count":"2","type":"NVIDIA_TESLA_T4"}}`),
		with(`"scaleTier":"CUSTOM","masterType":"complex_model_m_gpu","workerCount":"0"`),
		with(`"scaleTier":"STANDARD_1"`), with(`"scaleTier":"PREMIUM_1"`),
		with(`"scaleTier":"CUSTOM","masterType":"m","workerType":"w","workerCount":"2","parameterServerType":"p","parameterServerCount":"1","evaluatorType":"e","evaluatorCount":"1"`),
		with(`"scaleTier":"CUSTOM","masterType":"m","workerType":"w","workerCount":"1","workerConfig":{"acceleratorConfig":{"count":"1","type":"NVIDIA_TESLA_T4"}}`),
		with(`"useChiefInTfConfig":false`),
		with(`"network":"n","serviceAccount":"a","encryptionConfig":{"kmsKeyName":"k"},"useChiefInTfConfig":true`),
	} {
		if err := parseJob(t, text).ValidateNew(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, c := range []struct {
		text  string
		kind  Kind
		field string
	}{
		{`{"jobId":"1st","trainingInput":{}}`, InvalidArgument, "jobId"},
		{`{"trainingInput":{}}`, InvalidArgument, "jobId"},
		{`{"jobId":"j"}`, InvalidArgument, "trainingInput"},
		{`{"jobId":"j","predictionInput":{}}`, InvalidArgument, "predictionInput"},
		{`{"jobId":"j","predictionInput":{},"trainingInput":{}}`, InvalidArgument, "predictionInput"},
		{`{"jobId":"j","labels":{"Bad":"x"},"trainingInput":{}}`, InvalidArgument, "labels"},
		{`{"jobId":"j","trainingInput":{"pythonModule":"t"}}`, InvalidArgument, "trainingInput.packageUris"},
		{`{"jobId":"j","trainingInput":{"packageUris":["gs://b/a.whl"]}}`, InvalidArgument, "trainingInput.pythonModule"},
		{`{"jobId":"j","trainingInput":{"packageUris":["gs://b/a.whl","/tmp/a.whl"],"pythonModule":"t"}}`, InvalidArgument, "trainingInput.packageUris[1]"},
		{`{"jobId":"j","trainingInput":{"packageUris":["gs://b/a.egg"],"pythonModule":"t"}}`, InvalidArgument, "trainingInput.packageUris[0]"},
		{`{"jobId":"j","trainingInput":{"packageUris":["gs://b/x/.whl"],"pythonModule":"t"}}`, InvalidArgument, "trainingInput.packageUris[0]"},
		{`{"jobId":"j","trainingInput":{"packageUris":["gs:///a.whl"],"pythonModule":"t"}}`, InvalidArgument, "trainingInput.packageUris[0]"},
		{with(`"pythonModule":"trainer.task --help"`), InvalidArgument, "trainingInput.pythonModule"},
		{with(`"pythonModule":"-c"`), InvalidArgument, "trainingInput.pythonModule"},
		{with(`"pythonVersion":"three"`), InvalidArgument, "trainingInput.pythonVersion"},
		{with(`"jobDir":"/tmp/out"`), InvalidArgument, "trainingInput.jobDir"},
		{with(`"args":["a","b\u0000"]`), InvalidArgument, "trainingInput.args[1]"},
		{with(`"scaleTier":"HUGE"`), InvalidArgument, "trainingInput.scaleTier"},
		{with(`"scaleTier":"BASIC_TPU"`), Unimplemented, "trainingInput.scaleTier"},
		{with(`"scaleTier":"CUSTOM"`), InvalidArgument, "trainingInput.masterType"},
		{with(`"scaleTier":"CUSTOM","masterType":"cloud_tpu"`), Unimplemented, "trainingInput.masterType"},
		{with(`"masterType":"n1-standard-4"`), InvalidArgument, "trainingInput.masterType"},
		{with(`"workerCount":"2"`), InvalidArgument, "trainingInput.workerCount"},
		{with(`"scaleTier":"STANDARD_1","workerCount":"2"`), InvalidArgument, "trainingInput.workerCount"},
		{with(`"scaleTier":"STANDARD_1","workerType":"w"`), InvalidArgument, "trainingInput.workerType"},
		{with(`"scaleTier":"CUSTOM","masterType":"m","workerCount":"2"`), InvalidArgument, "trainingInput.workerType"},
		{with(`"scaleTier":"CUSTOM","masterType":"m","workerType":"cloud_tpu","workerCount":"2"`), Unimplemented, "trainingInput.workerType"},
		{with(`"scaleTier":"CUSTOM","masterType":"m","workerType":"w","workerCount":"200","parameterServerType":"w","parameterServerCount":"56"`), InvalidArgument, "trainingInput.parameterServerCount"},
		{with(`"scaleTier":"CUSTOM","masterType":"m","workerType":"w","workerCount":"9223372036854775807"`), InvalidArgument, "trainingInput.workerCount"},
		{with(`"scaleTier":"CUSTOM","masterType":"m","evaluatorConfig":{"imageUri":"gcr.io/x"}`), Unimplemented, "trainingInput.evaluatorConfig.imageUri"},
		{with(`"scaleTier":"CUSTOM","masterType":"m","evaluatorCount":"-1"`), InvalidArgument, "trainingInput.evaluatorCount"},
		{with(`"masterConfig":{"imageUri":"gcr.io/x"}`), Unimplemented, "trainingInput.masterConfig.imageUri"},
		{with(`"masterConfig":{"containerArgs":["x"]}`), Unimplemented, "trainingInput.masterConfig.containerArgs"},
		{with(`"scaleTier":"CUSTOM","masterType":"m","masterConfig":{"acceleratorConfig":{"count":"1","type":"TPU_V2"}}`), Unimplemented, "trainingInput.masterConfig.acceleratorConfig.type"},
		{with(`"scaleTier":"CUSTOM","masterType":"m","masterConfig":{"acceleratorConfig":{"count":"1","type":"H100"}}`), InvalidArgument, "trainingInput.masterConfig.acceleratorConfig.type"},
		{with(`"scaleTier":"CUSTOM","masterType":"m","masterConfig":{"acceleratorConfig":{"count":"-1"}}`), InvalidArgument, "trainingInput.masterConfig.acceleratorConfig.count"},
		{with(`"hyperparameters":{"goal":"MAXIMIZE"}`), Unimplemented, "trainingInput.hyperparameters"},
		{with(`"scheduling":{"priority":1001}`), InvalidArgument, "trainingInput.scheduling.priority"},
		{with(`"scheduling":{"maxRunningTime":"-1s"}`), InvalidArgument, "trainingInput.scheduling.maxRunningTime"},
		{with(`"scheduling":{"maxWaitTime":"-1s"}`), InvalidArgument, "trainingInput.scheduling.maxWaitTime"},
	} {
		err := parseJob(t, c.text).ValidateNew()
		e := &Error{}
		if !errors.As(err, &e) || e.Kind != c.kind || e.Field != c.field || e.Message == "" {
			t.Errorf("%s: got %+v, want %v at %s", c.text, err, c.kind, c.field)
		}
	}
	t.Run("too many packages", func(t *testing.T) {
		j := parseJob(t, goodJob)
		for range maxPackages {
			j.TrainingInput.PackageURIs = append(j.TrainingInput.PackageURIs, "gs://b/a.whl")
		}
		if err := j.ValidateNew(); KindOf(err) != InvalidArgument {
			t.Errorf("got %v", err)
		}
	})
	t.Run("enum text", func(t *testing.T) {
		j := parseJob(t, with(`"scaleTier":"HUGE"`))
		want := `Invalid value at 'job.training_input.scale_tier' (type.googleapis.com/google.cloud.ml.v1.TrainingInput.ScaleTier), "HUGE"`
		if err := j.ValidateNew(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("output is cleared", func(t *testing.T) {
		j := parseJob(t, goodJob)
		j.State, j.ErrorMessage, j.JobPosition, j.Etag = JobSucceeded, "x", 3, []byte("x")
		j.CreateTime, j.StartTime, j.EndTime = At(time.Now()), At(time.Now()), At(time.Now())
		j.TrainingOutput = &TrainingOutput{ConsumedMLUnits: 1}
		if err := j.ValidateNew(); err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(j)
		if string(got) != goodJob {
			t.Errorf("left: %s", got)
		}
	})
}

func TestTrainingInput_MaxRunningTime(t *testing.T) {
	in := &TrainingInput{}
	if got := in.MaxRunningTime(); got != 7*24*time.Hour {
		t.Errorf("default %v", got)
	}
	in.Scheduling = &Scheduling{MaxRunningTime: Duration(time.Minute)}
	if got := in.MaxRunningTime(); got != time.Minute {
		t.Errorf("got %v", got)
	}
}
