package prediction

import (
	"context"

	"hearth/ml"
)

// Model is what a job predicts with.
type Model struct {
	// Version is the full name of the version, empty for a SavedModel that is
	// none; URI is then where in the bucket it is.
	Version string `json:"version,omitempty"`
	URI     string `json:"uri,omitempty"`
	// Runtime is the name of the runtime that the version was made for, empty if
	// there is none.
	Runtime string `json:"runtime,omitempty"`
}

// Name is the model as people call it.
func (m Model) Name() string { return m.Version + m.URI }

// Models finds the models of predictions.
type Models interface {
	// Find gives what a request means: of a model its default version. What is not
	// there is NOT_FOUND, a version that is not READY FAILED_PRECONDITION.
	Find(project string, in *ml.PredictionInput) (Model, error)
	// Fetch puts the files of a model into dir, all of them or none. They stay
	// there when the version is deleted. If dir is there it has been done before.
	Fetch(ctx context.Context, project string, m Model, dir string) error
}
