package ml

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestPredictionInput_Validate(t *testing.T) {
	const good = `"versionName":"projects/p/models/m/versions/v","dataFormat":"JSON","inputPaths":["gs://b/in/*"],"outputPath":"gs://b/out"`
	without := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, c := range []struct {
		input string
		kind  Kind
		field string
	}{
		{good, OK, ""},
		{good + `,"outputDataFormat":"CSV","batchSize":"8","maxWorkerCount":"2","signatureName":"s"`, OK, ""},
		{without(`"versionName":"projects/p/models/m/versions/v"`, `"uri":"gs://b/model"`), OK, ""},
		{without(`"versionName":"projects/p/models/m/versions/v"`, `"modelName":"projects/p/models/m"`), OK, ""},
		{good + `,"uri":"gs://b/model"`, InvalidArgument, "predictionInput"},
		{without(`"versionName":"projects/p/models/m/versions/v",`, ""), InvalidArgument, "predictionInput"},
		{without("/versions/v", ""), InvalidArgument, "predictionInput.versionName"},
		{without(`"versionName":"projects/p/models/m/versions/v"`, `"modelName":"m"`), InvalidArgument, "predictionInput.modelName"},
		{without(`"versionName":"projects/p/models/m/versions/v"`, `"uri":"/tmp/model"`), InvalidArgument, "predictionInput.uri"},
		{without(`"JSON"`, `"CSV"`), Unimplemented, "predictionInput.dataFormat"},
		{without(`"dataFormat":"JSON",`, ""), InvalidArgument, "predictionInput.dataFormat"},
		{without(`"JSON"`, `"XML"`), InvalidArgument, "predictionInput.dataFormat"},
		{good + `,"outputDataFormat":"TF_RECORD"`, Unimplemented, "predictionInput.outputDataFormat"},
		{without(`["gs://b/in/*"]`, `[]`), InvalidArgument, "predictionInput.inputPaths"},
		{without(`["gs://b/in/*"]`, `["gs://b/in/*","gs://b"]`), InvalidArgument, "predictionInput.inputPaths[1]"},
		{without("gs://b/in/*", "gs://*/in"), InvalidArgument, "predictionInput.inputPaths[0]"},
		{without("gs://b/in/*", "gs://b/in/"), InvalidArgument, "predictionInput.inputPaths[0]"},
		{without("gs://b/out", "/tmp"), InvalidArgument, "predictionInput.outputPath"},
		{good + `,"batchSize":"-1"`, InvalidArgument, "predictionInput.batchSize"},
		{good + `,"maxWorkerCount":"-1"`, InvalidArgument, "predictionInput.maxWorkerCount"},
	} {
		var job Job
		if err := json.Unmarshal([]byte(`{"jobId":"j","predictionInput":{`+c.input+`},"predictionOutput":{"errorCount":"3"}}`), &job); err != nil {
			t.Fatal(err)
		}
		err := job.ValidateNew()
		var e *Error
		errors.As(err, &e)
		if KindOf(err) != c.kind || e != nil && e.Field != c.field || err == nil && job.PredictionOutput != nil {
			t.Errorf("%s: %v", c.input, err)
		}
	}
}
