package ml

// PredictionTask is all that the worker of a batch prediction is told: the
// scheduler writes it to a file, `hearth batch-predict FILE` reads it.
type PredictionTask struct {
	Input PredictionInput `json:"input"`
	// ModelDir is the SavedModel, TensorFlow the folder of the library to load.
	ModelDir   string `json:"modelDir"`
	TensorFlow string `json:"tensorflow"`
	// StateDir is what every attempt of the job finds again; TempDir is for what
	// the worker needs while it runs.
	StateDir string `json:"stateDir"`
	TempDir  string `json:"tempDir"`
	// Cores is how many processors the job leases.
	Cores int `json:"cores"`
	// MaxErrorRate is the part of the records that may be bad.
	MaxErrorRate float64 `json:"maxErrorRate"`
	// ShardBytes is about how much of a large file becomes one result.
	ShardBytes int64 `json:"shardBytes"`
}

// Files in a batch prediction's state folder; docs/formats.md describes them.
// The worker writes all but the last, the scheduler reads FileProgress and
// FileFailure.
const (
	FilePlan     = "plan.json"
	FileDone     = "done.jsonl"
	FileProgress = "progress.json"
	FileFailure  = "failure.json"
	FileModel    = "model.json"
)

// EnvPredictionProxy is the variable with the address at which the worker reaches
// the bucket, with the job's credentials.
const EnvPredictionProxy = "HEARTH_BUCKET_PROXY"

// PredictionFailure is why a batch prediction's worker gave up, for its owner.
type PredictionFailure struct {
	Message string `json:"message"`
}
