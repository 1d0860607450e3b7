package metadata

import (
	"time"

	"hearth/ml"
)

// A version's life: CREATING with its operation, READY or FAILED when that is
// done, DELETING with another operation, gone. The version and its operation
// change together.

// CreateVersion records a version, named by its bare id, that is CREATING, and
// the operation that makes it. A name that the model has is ALREADY_EXISTS, a
// missing model NOT_FOUND.
func (db *DB) CreateVersion(project, model string, v *ml.Version) (*ml.Version, *ml.Operation, error) {
	if err := ml.CheckID("name", v.Name); err != nil {
		return nil, nil, err
	}
	var stored *ml.Version
	var op *ml.Operation
	err := db.update(func(t *tx) error {
		m, err := t.model(project, model)
		if err != nil {
			return err
		}
		if t.Bucket(bucketVersions).Get(versionKey(project, model, v.Name)) != nil {
			return &ml.Error{Kind: ml.AlreadyExists, Field: "name", Message: "A version with the same name already exists."}
		}
		fresh := *v
		fresh.IsDefault, fresh.State, fresh.ErrorMessage = false, ml.VersionCreating, ""
		fresh.CreateTime, fresh.LastUseTime = t.now, ml.Timestamp{}
		r := &versionRecord{project: project, model: model, Version: &fresh}
		if op, err = t.begin(ml.CreateVersion, m, r); err != nil {
			return err
		}
		// Read back what was written: the caller's maps and slices stay the caller's.
		if r, err = t.version(project, model, v.Name); err == nil {
			stored = r.publish(m)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return stored, op, nil
}

// begin writes the version with a new operation that is under way on it.
func (t *tx) begin(kind ml.OperationType, m *modelRecord, r *versionRecord) (*ml.Operation, error) {
	etag, err := t.etag()
	if err != nil {
		return nil, err
	}
	r.Version.Etag = etag
	op, err := t.newOperation(r.project, kind, r.model, r.publish(m))
	if err != nil {
		return nil, err
	}
	r.Operation = ml.LastSegment(op.Name)
	return op, t.putVersion(r)
}

// FinishVersion ends the creation of a CREATING version: READY, or FAILED if
// failure says why. The model's first READY version becomes its default. The
// operation is done, with the version or the failure. A version that is not
// CREATING is FAILED_PRECONDITION: it has been deleted in the meantime.
func (db *DB) FinishVersion(project, model, version string, failure *ml.Status) (*ml.Version, error) {
	var v *ml.Version
	err := db.update(func(t *tx) error {
		m, r, err := t.modelAndVersion(project, model, version)
		if err != nil {
			return err
		}
		next := ml.VersionReady
		if failure != nil {
			next = ml.VersionFailed
			r.Version.ErrorMessage = failure.Message
		}
		if err := r.Version.State.To(next); err != nil {
			return err
		}
		op, err := t.operation(project, r.Operation)
		if err != nil {
			return err
		}
		r.Version.State, r.Operation = next, ""
		if err := t.putVersion(r); err != nil {
			return err
		}
		if next == ml.VersionReady && m.Default == "" {
			m.Default = version
			if err := t.putModel(m); err != nil {
				return err
			}
		}
		v = r.publish(m)
		if failure != nil {
			return t.fail(project, op, failure)
		}
		return t.succeed(project, op, ml.TypeVersion, v)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// BeginDeleteVersion takes a version to DELETING and returns the operation
// that deletes it. The default version is FAILED_PRECONDITION unless it is the
// model's only one; the model has no default then. A creation still under way
// ends with an error. Asked again, it returns the same operation.
func (db *DB) BeginDeleteVersion(project, model, version string) (*ml.Operation, error) {
	var op *ml.Operation
	err := db.update(func(t *tx) error {
		m, r, err := t.modelAndVersion(project, model, version)
		if err != nil {
			return err
		}
		if r.Version.State == ml.VersionDeleting {
			if op, err = t.operation(project, r.Operation); err != nil {
				return err
			}
			return errUnchanged
		}
		if err := r.Version.State.To(ml.VersionDeleting); err != nil {
			return err
		}
		if m.Default == version {
			if t.countVersions(project, model) > 1 {
				return &ml.Error{Kind: ml.FailedPrecondition, Field: "name",
					Message: "The default version cannot be deleted while the model has other versions. Make another one the default first."}
			}
			m.Default = ""
			if err := t.putModel(m); err != nil {
				return err
			}
		}
		if err := t.abandon(r); err != nil {
			return err
		}
		r.Version.State = ml.VersionDeleting
		op, err = t.begin(ml.DeleteVersion, m, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return op, nil
}

// abandon ends the operation under way on a version that is to be deleted.
func (t *tx) abandon(r *versionRecord) error {
	if r.Operation == "" {
		return nil
	}
	op, err := t.operation(r.project, r.Operation)
	if err != nil {
		return err
	}
	return t.fail(r.project, op, &ml.Status{Code: ml.Canceled, Message: "The version was deleted before it was ready."})
}

// FinishDeleteVersion removes a DELETING version; its operation is done. One
// in another state is FAILED_PRECONDITION.
func (db *DB) FinishDeleteVersion(project, model, version string) error {
	return db.update(func(t *tx) error {
		_, r, err := t.modelAndVersion(project, model, version)
		if err != nil {
			return err
		}
		if r.Version.State != ml.VersionDeleting {
			return ml.Errorf(ml.FailedPrecondition, "a version that is %s is not being deleted", r.Version.State)
		}
		op, err := t.operation(project, r.Operation)
		if err != nil {
			return err
		}
		if err := t.Bucket(bucketVersions).Delete(r.key()); err != nil {
			return err
		}
		return t.succeed(project, op, ml.TypeEmpty, struct{}{})
	})
}

// SetDefaultVersion makes a version the one that answers for its model. One
// that is not READY is FAILED_PRECONDITION.
func (db *DB) SetDefaultVersion(project, model, version string) (*ml.Version, error) {
	var v *ml.Version
	err := db.update(func(t *tx) error {
		m, r, err := t.modelAndVersion(project, model, version)
		if err != nil {
			return err
		}
		if r.Version.State != ml.VersionReady {
			return &ml.Error{Kind: ml.FailedPrecondition, Field: "name",
				Message: "Only a version that is READY can be the default; this one is " + string(r.Version.State) + "."}
		}
		changed := m.Default != version
		m.Default = version
		v = r.publish(m)
		if !changed {
			return errUnchanged
		}
		return t.putModel(m)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// TouchVersion notes that the version was used at the time at. Its etag stays:
// nobody changed it.
func (db *DB) TouchVersion(project, model, version string, at time.Time) error {
	return db.update(func(t *tx) error {
		_, r, err := t.modelAndVersion(project, model, version)
		if err != nil {
			return err
		}
		if !at.After(r.Version.LastUseTime.Time) {
			return errUnchanged
		}
		r.Version.LastUseTime = ml.At(at)
		return t.put(bucketVersions, r.key(), r)
	})
}
