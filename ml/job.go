package ml

import "encoding/json"

// Job is one run of a trainer or one batch prediction, as the API shows it. Exactly one of
// TrainingInput and PredictionInput is set.
type Job struct {
	JobID            string            `json:"jobId,omitempty"`
	TrainingInput    *TrainingInput    `json:"trainingInput,omitempty"`
	PredictionInput  *PredictionInput  `json:"predictionInput,omitempty"`
	CreateTime       Timestamp         `json:"createTime,omitzero"`
	StartTime        Timestamp         `json:"startTime,omitzero"`
	EndTime          Timestamp         `json:"endTime,omitzero"`
	State            JobState          `json:"state,omitempty"`
	JobPosition      Int64             `json:"jobPosition,omitempty"`
	ErrorMessage     string            `json:"errorMessage,omitempty"`
	TrainingOutput   *TrainingOutput   `json:"trainingOutput,omitempty"`
	PredictionOutput *PredictionOutput `json:"predictionOutput,omitempty"`
	Labels           map[string]string `json:"labels,omitempty"`
	Etag             []byte            `json:"etag,omitempty"`
}

// TrainingInput says what to train and with what.
type TrainingInput struct {
	ScaleTier             string          `json:"scaleTier,omitempty"`
	MasterType            string          `json:"masterType,omitempty"`
	MasterConfig          *ReplicaConfig  `json:"masterConfig,omitempty"`
	WorkerType            string          `json:"workerType,omitempty"`
	WorkerConfig          *ReplicaConfig  `json:"workerConfig,omitempty"`
	WorkerCount           Int64           `json:"workerCount,omitempty"`
	ParameterServerType   string          `json:"parameterServerType,omitempty"`
	ParameterServerConfig *ReplicaConfig  `json:"parameterServerConfig,omitempty"`
	ParameterServerCount  Int64           `json:"parameterServerCount,omitempty"`
	EvaluatorType         string          `json:"evaluatorType,omitempty"`
	EvaluatorConfig       *ReplicaConfig  `json:"evaluatorConfig,omitempty"`
	EvaluatorCount        Int64           `json:"evaluatorCount,omitempty"`
	PackageURIs           []string        `json:"packageUris,omitempty"`
	PythonModule          string          `json:"pythonModule,omitempty"`
	Args                  []string        `json:"args,omitempty"`
	Region                string          `json:"region,omitempty"`
	JobDir                string          `json:"jobDir,omitempty"`
	RuntimeVersion        string          `json:"runtimeVersion,omitempty"`
	PythonVersion         string          `json:"pythonVersion,omitempty"`
	Hyperparameters       json.RawMessage `json:"hyperparameters,omitempty"`
	Scheduling            *Scheduling     `json:"scheduling,omitempty"`
	Network               string          `json:"network,omitempty"`
	ServiceAccount        string          `json:"serviceAccount,omitempty"`
	EncryptionConfig      json.RawMessage `json:"encryptionConfig,omitempty"`
	// UseChiefInTFConfig nil leaves to the runtime what TF_CONFIG calls the master.
	UseChiefInTFConfig *bool `json:"useChiefInTfConfig,omitempty"`
	EnableWebAccess    bool  `json:"enableWebAccess,omitempty"`
}

// ReplicaConfig is what one kind of replica asks for beyond its machine type.
type ReplicaConfig struct {
	AcceleratorConfig *AcceleratorConfig `json:"acceleratorConfig,omitempty"`
	ImageURI          string             `json:"imageUri,omitempty"`
	TPUTFVersion      string             `json:"tpuTfVersion,omitempty"`
	DiskConfig        json.RawMessage    `json:"diskConfig,omitempty"`
	ContainerCommand  []string           `json:"containerCommand,omitempty"`
	ContainerArgs     []string           `json:"containerArgs,omitempty"`
}

// AcceleratorConfig asks for Count devices of a type. On one machine any GPU
// answers any GPU type.
type AcceleratorConfig struct {
	Count Int64  `json:"count,omitempty"`
	Type  string `json:"type,omitempty"`
}

// Devices is how many devices are asked for; nil asks for none.
func (a *AcceleratorConfig) Devices() int {
	if a == nil {
		return 0
	}
	return int(a.Count)
}

// Scheduling bounds a job in time and places it in the queue.
type Scheduling struct {
	MaxRunningTime Duration `json:"maxRunningTime,omitempty"`
	MaxWaitTime    Duration `json:"maxWaitTime,omitempty"`
	Priority       int32    `json:"priority,omitempty"`
}

// TrainingOutput is what a training job has to tell beside its files.
type TrainingOutput struct {
	CompletedTrialCount       Int64             `json:"completedTrialCount,omitempty"`
	Trials                    json.RawMessage   `json:"trials,omitempty"`
	ConsumedMLUnits           float64           `json:"consumedMLUnits,omitempty"`
	IsHyperparameterTuningJob bool              `json:"isHyperparameterTuningJob,omitempty"`
	IsBuiltInAlgorithmJob     bool              `json:"isBuiltInAlgorithmJob,omitempty"`
	BuiltInAlgorithmOutput    json.RawMessage   `json:"builtInAlgorithmOutput,omitempty"`
	HyperparameterMetricTag   string            `json:"hyperparameterMetricTag,omitempty"`
	WebAccessURIs             map[string]string `json:"webAccessUris,omitempty"`
}
