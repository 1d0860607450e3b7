package metadata

import (
	"bytes"

	"hearth/ml"
)

// ModelPolicy gives a model's policy, one without bindings if it was never given one.
// NOT_FOUND if there is no such model.
func (db *DB) ModelPolicy(project, model string) (*ml.Policy, error) {
	var p *ml.Policy
	err := db.view(func(t *tx) error {
		r, err := t.model(project, model)
		if err == nil {
			p = r.policy()
		}
		return err
	})
	return p, err
}

func (r *modelRecord) policy() *ml.Policy {
	if r.Policy == nil {
		return &ml.Policy{Version: 1, Etag: ml.EtagOfNone}
	}
	return r.Policy
}

// SetModelPolicy gives a model a policy and returns it as stored, with a new etag. The
// etag that comes, if one does, must be the present one: ABORTED if not. NOT_FOUND if
// there is no such model.
func (db *DB) SetModelPolicy(project, model string, p *ml.Policy) (*ml.Policy, error) {
	stored := *p
	err := db.update(func(t *tx) error {
		r, err := t.model(project, model)
		if err != nil {
			return err
		}
		if len(p.Etag) > 0 && !bytes.Equal(p.Etag, r.policy().Etag) {
			return &ml.Error{Kind: ml.Aborted, Field: "policy.etag", Message: "There were concurrent policy changes; read the policy again and change that."}
		}
		if stored.Etag, err = t.etag(); err != nil {
			return err
		}
		r.Policy = &stored
		return t.put(bucketModels, modelKey(project, r.Model.Name), r)
	})
	if err != nil {
		return nil, err
	}
	return &stored, nil
}

// ModelPolicy is what a model's policy is, by the names of project and model.
type ModelPolicy struct {
	Project, Model string
	Policy         *ml.Policy
}

// ModelPolicies gives the policies of all models that were given one.
func (db *DB) ModelPolicies() ([]ModelPolicy, error) {
	var all []ModelPolicy
	err := db.view(func(t *tx) error {
		return t.Bucket(bucketModels).ForEach(func(k, v []byte) error {
			project, _, _ := bytes.Cut(k, []byte("/"))
			r := &modelRecord{project: string(project)}
			if err := decode(bucketModels, k, v, r); err != nil {
				return err
			}
			if r.Policy != nil {
				all = append(all, ModelPolicy{r.project, r.Model.Name, r.Policy})
			}
			return nil
		})
	})
	return all, err
}
