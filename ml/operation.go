package ml

import "encoding/json"

// Operation is a long-running call: what it does, whether it is done, and how
// it ended. One of Error and Response is set once Done is true.
type Operation struct {
	Name     string             `json:"name"`
	Metadata *OperationMetadata `json:"metadata,omitempty"`
	Done     bool               `json:"done,omitempty"`
	Error    *Status            `json:"error,omitempty"`
	// Response is the JSON of the result with its "@type".
	Response json.RawMessage `json:"response,omitempty"`
}

// Status is a google.rpc.Status.
type Status struct {
	Code    Kind              `json:"code,omitempty"`
	Message string            `json:"message,omitempty"`
	Details []json.RawMessage `json:"details,omitempty"`
}

// OperationType says what an Operation does.
type OperationType string

// The operations there are.
const (
	CreateVersion OperationType = "CREATE_VERSION"
	DeleteVersion OperationType = "DELETE_VERSION"
	DeleteModel   OperationType = "DELETE_MODEL"
)

// Types of an operation's metadata and response, as "@type" says them.
const (
	TypeOperationMetadata = "type.googleapis.com/google.cloud.ml.v1.OperationMetadata"
	TypeVersion           = "type.googleapis.com/google.cloud.ml.v1.Version"
	TypeEmpty             = "type.googleapis.com/google.protobuf.Empty"
)

// OperationMetadata tells of a call on a model or a version.
type OperationMetadata struct {
	Type                    string            `json:"@type"`
	CreateTime              Timestamp         `json:"createTime,omitzero"`
	StartTime               Timestamp         `json:"startTime,omitzero"`
	EndTime                 Timestamp         `json:"endTime,omitzero"`
	IsCancellationRequested bool              `json:"isCancellationRequested,omitempty"`
	OperationType           OperationType     `json:"operationType,omitempty"`
	ModelName               string            `json:"modelName,omitempty"`
	Version                 *Version          `json:"version,omitempty"`
	ProjectNumber           Int64             `json:"projectNumber,omitempty"`
	Labels                  map[string]string `json:"labels,omitempty"`
}

// Typed gives v's JSON with "@type" in front, as an operation's response
// carries it.
func Typed(typeURL string, v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	t, err := json.Marshal(typeURL)
	if err != nil {
		return nil, err
	}
	head := append([]byte(`{"@type":`), t...)
	if len(b) > 2 {
		head = append(head, ',')
	}
	return append(head, b[1:]...), nil
}
