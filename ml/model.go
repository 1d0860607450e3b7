package ml

import "encoding/json"

// Model is a container for versions of a solution to one problem. Name is the
// bare id on create and the full name on reads.
type Model struct {
	Name                           string            `json:"name,omitempty"`
	Description                    string            `json:"description,omitempty"`
	DefaultVersion                 *Version          `json:"defaultVersion,omitempty"`
	Regions                        []string          `json:"regions,omitempty"`
	OnlinePredictionLogging        bool              `json:"onlinePredictionLogging,omitempty"`
	OnlinePredictionConsoleLogging bool              `json:"onlinePredictionConsoleLogging,omitempty"`
	Labels                         map[string]string `json:"labels,omitempty"`
	Etag                           []byte            `json:"etag,omitempty"`
}

// Version is one SavedModel of a model, served under its own name.
type Version struct {
	Name                 string             `json:"name,omitempty"`
	Description          string             `json:"description,omitempty"`
	IsDefault            bool               `json:"isDefault,omitempty"`
	DeploymentURI        string             `json:"deploymentUri,omitempty"`
	CreateTime           Timestamp          `json:"createTime,omitzero"`
	LastUseTime          Timestamp          `json:"lastUseTime,omitzero"`
	RuntimeVersion       string             `json:"runtimeVersion,omitempty"`
	PythonVersion        string             `json:"pythonVersion,omitempty"`
	Framework            string             `json:"framework,omitempty"`
	MachineType          string             `json:"machineType,omitempty"`
	AcceleratorConfig    *AcceleratorConfig `json:"acceleratorConfig,omitempty"`
	AutoScaling          *AutoScaling       `json:"autoScaling,omitempty"`
	ManualScaling        *ManualScaling     `json:"manualScaling,omitempty"`
	State                VersionState       `json:"state,omitempty"`
	ErrorMessage         string             `json:"errorMessage,omitempty"`
	PackageURIs          []string           `json:"packageUris,omitempty"`
	PredictionClass      string             `json:"predictionClass,omitempty"`
	ServiceAccount       string             `json:"serviceAccount,omitempty"`
	RequestLoggingConfig json.RawMessage    `json:"requestLoggingConfig,omitempty"`
	ExplanationConfig    json.RawMessage    `json:"explanationConfig,omitempty"`
	Container            json.RawMessage    `json:"container,omitempty"`
	Routes               json.RawMessage    `json:"routes,omitempty"`
	Labels               map[string]string  `json:"labels,omitempty"`
	Etag                 []byte             `json:"etag,omitempty"`
	LastMigrationTime    Timestamp          `json:"lastMigrationTime,omitzero"`
	LastMigrationModelID string             `json:"lastMigrationModelId,omitempty"`
}

// AutoScaling bounds how many nodes serve a version.
type AutoScaling struct {
	MinNodes int32        `json:"minNodes,omitempty"`
	MaxNodes int32        `json:"maxNodes,omitempty"`
	Metrics  []MetricSpec `json:"metrics,omitempty"`
}

// Replicas is how many workers serve the version side by side.
func (v *Version) Replicas() int {
	switch {
	case v.ManualScaling != nil:
		return max(1, int(v.ManualScaling.Nodes))
	case v.AutoScaling != nil:
		return max(1, int(v.AutoScaling.MinNodes))
	}
	return 1
}

// OnDemand says whether the version is loaded only when it is asked for, and
// unloaded when it has not been for a while: it scales down to no node.
func (v *Version) OnDemand() bool { return v.AutoScaling != nil && v.AutoScaling.MinNodes == 0 }

// MetricSpec is a target that autoscaling aims at.
type MetricSpec struct {
	Name   string `json:"name,omitempty"`
	Target int32  `json:"target,omitempty"`
}

// ManualScaling fixes how many nodes serve a version.
type ManualScaling struct {
	Nodes int32 `json:"nodes,omitempty"`
}
