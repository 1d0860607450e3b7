package ml

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// Formats of the data of a batch prediction. TEXT is what gcloud says for lines.
const (
	FormatJSON         = "JSON"
	FormatText         = "TEXT"
	FormatTFRecord     = "TF_RECORD"
	FormatTFRecordGzip = "TF_RECORD_GZIP"
	FormatCSV          = "CSV"

	formatUnspecified = "DATA_FORMAT_UNSPECIFIED"
)

// PredictionInput says what to predict, with what model. Exactly one of
// ModelName, VersionName and URI is set.
type PredictionInput struct {
	// ModelName means the model's default version at the time at which the job
	// starts.
	ModelName   string `json:"modelName,omitempty"`
	VersionName string `json:"versionName,omitempty"`
	URI         string `json:"uri,omitempty"`
	DataFormat  string `json:"dataFormat,omitempty"`
	// OutputDataFormat is JSON, lines of it, where it is empty.
	OutputDataFormat string `json:"outputDataFormat,omitempty"`
	// InputPaths are objects; `*` stands for any part of a name without a slash.
	InputPaths     []string `json:"inputPaths,omitempty"`
	OutputPath     string   `json:"outputPath,omitempty"`
	MaxWorkerCount Int64    `json:"maxWorkerCount,omitempty"`
	Region         string   `json:"region,omitempty"`
	RuntimeVersion string   `json:"runtimeVersion,omitempty"`
	// BatchSize 0 lets the worker measure which is best.
	BatchSize     Int64  `json:"batchSize,omitempty"`
	SignatureName string `json:"signatureName,omitempty"`
}

// PredictionOutput is how far a batch prediction is, or how it ended.
type PredictionOutput struct {
	OutputPath      string  `json:"outputPath,omitempty"`
	PredictionCount Int64   `json:"predictionCount,omitempty"`
	ErrorCount      Int64   `json:"errorCount,omitempty"`
	NodeHours       float64 `json:"nodeHours,omitempty"`
}

// PredictionProgress is what a batch prediction's worker tells of itself while
// it runs.
type PredictionProgress struct {
	// Bytes of the input are done, of TotalBytes.
	Bytes      int64 `json:"bytes"`
	TotalBytes int64 `json:"totalBytes"`
	// Shards are done, of TotalShards.
	Shards      int   `json:"shards"`
	TotalShards int   `json:"totalShards"`
	Predictions int64 `json:"predictions"`
	Errors      int64 `json:"errors"`
}

// Program names what a job runs, so that the next of its kind can be expected
// to take as long.
func (j *Job) Program() string {
	if in := j.PredictionInput; in != nil {
		return "batch prediction by " + in.ModelName + in.VersionName + in.URI
	}
	return j.TrainingInput.PythonModule
}

// MaxRunningTime gives how long the job may run before it is stopped.
func (j *Job) MaxRunningTime() time.Duration {
	if j.TrainingInput == nil {
		return DefaultMaxRunningTime
	}
	return j.TrainingInput.MaxRunningTime()
}

// Scheduling gives what the request says of time and queue, nil for nothing.
func (j *Job) Scheduling() *Scheduling {
	if j.TrainingInput == nil {
		return nil
	}
	return j.TrainingInput.Scheduling
}

func (in *PredictionInput) validate() error {
	for _, check := range []func() error{in.checkModel, in.checkFormats, in.checkPaths, in.checkNumbers} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (in *PredictionInput) checkModel() error {
	named := 0
	for _, name := range []string{in.ModelName, in.VersionName, in.URI} {
		if name != "" {
			named++
		}
	}
	if named != 1 {
		return FieldErrorf("predictionInput", "A batch prediction needs exactly one of modelName, versionName and uri; this one has %d of them.", named)
	}
	if _, _, ok := SplitModelName(in.ModelName); in.ModelName != "" && !ok {
		return FieldErrorf("predictionInput.modelName", "%q is not a model's name: projects/PROJECT/models/MODEL.", in.ModelName)
	}
	if _, _, _, ok := SplitVersionName(in.VersionName); in.VersionName != "" && !ok {
		return FieldErrorf("predictionInput.versionName", "%q is not a version's name: projects/PROJECT/models/MODEL/versions/VERSION.", in.VersionName)
	}
	if _, folder, ok := ObjectURI(in.URI); in.URI != "" && (!ok || strings.ContainsFunc(folder, unicode.IsControl)) {
		return FieldErrorf("predictionInput.uri", "%q is not a gs://BUCKET/FOLDER address.", in.URI)
	}
	return nil
}

func (in *PredictionInput) checkFormats() error {
	const field, output = "predictionInput.dataFormat", "predictionInput.outputDataFormat"
	all := []string{FormatJSON, FormatText, FormatTFRecord, FormatTFRecordGzip, FormatCSV, formatUnspecified}
	switch in.DataFormat {
	case FormatJSON, FormatText, FormatTFRecord, FormatTFRecordGzip:
	case "", formatUnspecified:
		return FieldErrorf(field, "A batch prediction needs dataFormat: JSON, TEXT, TF_RECORD or TF_RECORD_GZIP.")
	case FormatCSV:
		return unimplementedField(field, "CSV is a format for output only; give instances as JSON, TEXT, TF_RECORD or TF_RECORD_GZIP.")
	default:
		return enumError(field, "job.prediction_input.data_format", "PredictionInput.DataFormat", in.DataFormat)
	}
	switch {
	case slices.Contains([]string{"", formatUnspecified, FormatJSON, FormatCSV}, in.OutputDataFormat):
		return nil
	case slices.Contains(all, in.OutputDataFormat):
		return unimplementedField(output, "Results are written as JSON or CSV.")
	}
	return enumError(output, "job.prediction_input.output_data_format", "PredictionInput.DataFormat", in.OutputDataFormat)
}

func (in *PredictionInput) checkPaths() error {
	const field = "predictionInput.inputPaths"
	if len(in.InputPaths) == 0 {
		return FieldErrorf(field, "A batch prediction needs inputPaths: the gs:// addresses of its input.")
	}
	for i, path := range in.InputPaths {
		bucket, object, ok := ObjectURI(path)
		if !ok || object == "" || strings.ContainsFunc(object, unicode.IsControl) {
			return FieldErrorf(indexed(field, i), "%q is not a gs://BUCKET/OBJECT address.", path)
		}
		if strings.Contains(bucket, "*") {
			return FieldErrorf(indexed(field, i), "%q has a wildcard in the bucket's name; it can only be in that of the object.", path)
		}
		if strings.HasSuffix(object, "/") {
			return FieldErrorf(indexed(field, i), "%q names a folder; %s* are the objects in it.", path, path)
		}
	}
	if _, object, ok := ObjectURI(in.OutputPath); !ok || strings.ContainsFunc(object, unicode.IsControl) {
		return FieldErrorf("predictionInput.outputPath", "%q is not a gs://BUCKET/FOLDER address.", in.OutputPath)
	}
	return nil
}

func (in *PredictionInput) checkNumbers() error {
	switch {
	case in.BatchSize < 0:
		return FieldErrorf("predictionInput.batchSize", "The batch size is negative.")
	case in.BatchSize > maxBatchSize:
		return FieldErrorf("predictionInput.batchSize", "The batch size is above %d.", maxBatchSize)
	case in.MaxWorkerCount < 0:
		return FieldErrorf("predictionInput.maxWorkerCount", "The number of workers is negative.")
	}
	return nil
}

// maxBatchSize keeps what a batch takes of memory within reason.
const maxBatchSize = 1 << 16
