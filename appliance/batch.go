package appliance

import (
	"context"

	"hearth/ml"
	"hearth/scheduler/prediction"
)

// batchModels finds the models of batch predictions among the versions that are
// served. The scheduler is made before serving, which it asks only when both run.
type batchModels struct{ a *Appliance }

// Find implements [prediction.Models].
func (b batchModels) Find(project string, in *ml.PredictionInput) (prediction.Model, error) {
	if in.URI != "" {
		return prediction.Model{URI: in.URI}, nil
	}
	field, named := "predictionInput.versionName", in.VersionName
	if in.ModelName != "" {
		field, named = "predictionInput.modelName", in.ModelName
	}
	owner, model, version, ok := ml.SplitVersionName(in.VersionName)
	if !ok {
		owner, model, _ = ml.SplitModelName(in.ModelName)
	}
	if owner != project {
		return prediction.Model{}, ml.FieldErrorf(field, "%s is of another project than the job.", named)
	}
	if version == "" {
		m, err := b.a.db.Model(project, model)
		if err != nil {
			return prediction.Model{}, fielded(err, field)
		}
		if m.DefaultVersion == nil {
			return prediction.Model{}, &ml.Error{Kind: ml.FailedPrecondition, Field: field, Message: named + " has no default version."}
		}
		version = ml.LastSegment(m.DefaultVersion.Name)
	}
	v, err := b.a.db.Version(project, model, version)
	if err != nil {
		return prediction.Model{}, fielded(err, field)
	}
	if v.State != ml.VersionReady {
		return prediction.Model{}, &ml.Error{Kind: ml.FailedPrecondition, Field: field, Message: "The version " + v.Name + " is " + string(v.State) + ", not READY."}
	}
	return prediction.Model{Version: v.Name, Runtime: v.RuntimeVersion}, nil
}

// fielded lets an error of the catalogue blame a field of the request.
func fielded(err error, field string) error {
	if ml.KindOf(err) != ml.NotFound {
		return err
	}
	return &ml.Error{Kind: ml.NotFound, Field: field, Message: "The model or version was not found.", Err: err}
}

// Fetch implements [prediction.Models].
func (b batchModels) Fetch(ctx context.Context, _ string, m prediction.Model, dir string) error {
	if project, model, version, ok := ml.SplitVersionName(m.Version); ok {
		return b.a.serving.Link(project, model, version, dir)
	}
	return b.a.serving.Fetch(ctx, m.URI, dir)
}
