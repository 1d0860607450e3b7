package metadata

import (
	"hearth/ml"
)

// modelRecord is what we keep of a model: its public form with the bare id as
// its name and without its default version, of which only the id is kept, and its
// policy, if it was given one.
type modelRecord struct {
	Default string     `json:"default,omitempty"`
	Model   *ml.Model  `json:"model"`
	Policy  *ml.Policy `json:"policy,omitempty"`

	project string
}

func modelKey(project, model string) []byte { return []byte(project + "/" + model) }

// model reads a model's record: NOT_FOUND if there is none.
func (t *tx) model(project, id string) (*modelRecord, error) {
	r := &modelRecord{project: project}
	found, err := t.get(bucketModels, modelKey(project, id), r)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &ml.Error{Kind: ml.NotFound, Field: "name", Message: "The specified model was not found."}
	}
	return r, nil
}

// putModel writes the record with a new etag.
func (t *tx) putModel(r *modelRecord) error {
	etag, err := t.etag()
	if err != nil {
		return err
	}
	r.Model.Etag = etag
	return t.put(bucketModels, modelKey(r.project, r.Model.Name), r)
}

// publish turns the record's model into its public form, with its full name
// and its default version.
func (t *tx) publish(r *modelRecord) (*ml.Model, error) {
	id := r.Model.Name
	if r.Default != "" {
		v, err := t.version(r.project, id, r.Default)
		if err != nil {
			return nil, err
		}
		r.Model.DefaultVersion = v.publish(r)
	}
	r.Model.Name = ml.ModelName(r.project, id)
	return r.Model, nil
}

// CreateModel records a model, named by its bare id, and returns it as stored.
// A name that the project has is ALREADY_EXISTS.
func (db *DB) CreateModel(project string, m *ml.Model) (*ml.Model, error) {
	if err := ml.CheckID("name", m.Name); err != nil {
		return nil, err
	}
	id := m.Name
	var stored *ml.Model
	err := db.update(func(t *tx) error {
		if t.Bucket(bucketModels).Get(modelKey(project, id)) != nil {
			return &ml.Error{Kind: ml.AlreadyExists, Field: "name", Message: "A model with the same name already exists."}
		}
		fresh := *m
		fresh.DefaultVersion = nil
		if err := t.putModel(&modelRecord{project: project, Model: &fresh}); err != nil {
			return err
		}
		r, err := t.model(project, id)
		if err != nil {
			return err
		}
		stored, err = t.publish(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

// Model returns a model with its full name and default version. NOT_FOUND if
// there is none.
func (db *DB) Model(project, id string) (*ml.Model, error) {
	var m *ml.Model
	err := db.view(func(t *tx) error {
		r, err := t.model(project, id)
		if err != nil {
			return err
		}
		m, err = t.publish(r)
		return err
	})
	return m, err
}

// Models lists a project's models by name; pages as in [DB.Jobs].
func (db *DB) Models(project string, pageSize int, pageToken string) (models []*ml.Model, next string, err error) {
	p, err := newPage(bucketModels, project, pageSize, pageToken)
	if err != nil {
		return nil, "", err
	}
	err = db.view(func(t *tx) error {
		next, err = p.ascending(t, bucketModels, func(k, v []byte) error {
			r := &modelRecord{project: project}
			if err := decode(bucketModels, k, v, r); err != nil {
				return err
			}
			m, err := t.publish(r)
			models = append(models, m)
			return err
		})
		return err
	})
	return models, next, err
}

// DeleteModel removes a model and returns an operation that is done. While
// the model has versions it is FAILED_PRECONDITION.
func (db *DB) DeleteModel(project, id string) (*ml.Operation, error) {
	var op *ml.Operation
	err := db.update(func(t *tx) error {
		if _, err := t.model(project, id); err != nil {
			return err
		}
		if t.countVersions(project, id) > 0 {
			return &ml.Error{Kind: ml.FailedPrecondition, Field: "name", Message: "The model has versions. Delete them first."}
		}
		if err := t.Bucket(bucketModels).Delete(modelKey(project, id)); err != nil {
			return err
		}
		o, err := t.newOperation(project, ml.DeleteModel, id, nil)
		if err != nil {
			return err
		}
		op = o
		return t.succeed(project, op, ml.TypeEmpty, struct{}{})
	})
	if err != nil {
		return nil, err
	}
	return op, nil
}
