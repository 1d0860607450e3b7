package metadata

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"hearth/ml"
)

// versionRecord is what we keep of a version: its public form with the bare id
// as its name, the id of the operation under way on it, if one is, and the
// devices that it leases, and what was measured of its workers. Whether it is the default its model knows.
type versionRecord struct {
	Operation string      `json:"operation,omitempty"`
	Version   *ml.Version `json:"version"`
	GPUs      []string    `json:"gpus,omitempty"`
	// Replicas holds the devices of the replicas after the first.
	Replicas map[int][]string `json:"replicaGpus,omitempty"`
	// Memory and Tuning are what was measured of its workers.
	Memory int64  `json:"memory,omitempty"`
	Tuning string `json:"tuning,omitempty"`

	project, model string
}

// VersionRecord is a version with what only Hearth knows of it.
type VersionRecord struct {
	Project, Model string
	Version        *ml.Version
	// Operation is the id of the operation under way on the version: while it
	// is CREATING or DELETING there is one.
	Operation string
	// Replicas are those that it is served by, or was.
	Replicas []VersionReplica
	// Memory is what one worker of it was seen to hold, in bytes, 0 if none was.
	Memory int64
	// Tuning is how a worker found that it runs best, empty if none has.
	Tuning string
}

// VersionReplica is one of the workers that serve a version side by side.
type VersionReplica struct {
	// WorkerNumber is that of the last worker started for the replica of a version
	// of this name, 0 if none was.
	WorkerNumber int
	// GPUs are the UUIDs of the devices that it leases.
	GPUs []string
}

func versionKey(project, model, version string) []byte {
	return []byte(project + "/" + model + "/" + version)
}

func (r *versionRecord) key() []byte { return versionKey(r.project, r.model, r.Version.Name) }

// version reads a version's record: NOT_FOUND if there is none.
func (t *tx) version(project, model, id string) (*versionRecord, error) {
	r := &versionRecord{project: project, model: model}
	found, err := t.get(bucketVersions, versionKey(project, model, id), r)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &ml.Error{Kind: ml.NotFound, Field: "name", Message: "The specified version was not found."}
	}
	return r, nil
}

// modelAndVersion reads both records: NOT_FOUND for the one that is missing.
func (t *tx) modelAndVersion(project, model, id string) (*modelRecord, *versionRecord, error) {
	m, err := t.model(project, model)
	if err != nil {
		return nil, nil, err
	}
	r, err := t.version(project, model, id)
	return m, r, err
}

// putVersion writes the record with a new etag.
func (t *tx) putVersion(r *versionRecord) error {
	etag, err := t.etag()
	if err != nil {
		return err
	}
	r.Version.Etag = etag
	return t.put(bucketVersions, r.key(), r)
}

// publish gives a copy of the version in its public form, with its full name
// and whether it is m's default.
func (r *versionRecord) publish(m *modelRecord) *ml.Version {
	v := *r.Version
	v.IsDefault = v.Name == m.Default
	v.Name = ml.VersionName(r.project, r.model, v.Name)
	return &v
}

// countVersions counts a model's versions, in whatever state.
func (t *tx) countVersions(project, model string) int {
	n, prefix := 0, []byte(project+"/"+model+"/")
	c := t.Bucket(bucketVersions).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		n++
	}
	return n
}

// Version returns a version with its full name. NOT_FOUND if there is no such
// model or version.
func (db *DB) Version(project, model, id string) (*ml.Version, error) {
	var v *ml.Version
	err := db.view(func(t *tx) error {
		m, r, err := t.modelAndVersion(project, model, id)
		if err == nil {
			v = r.publish(m)
		}
		return err
	})
	return v, err
}

// Versions lists a model's versions by name; pages as in [DB.Jobs]. NOT_FOUND
// if there is no such model.
func (db *DB) Versions(project, model string, pageSize int, pageToken string) (versions []*ml.Version, next string, err error) {
	p, err := newPage(bucketVersions, project+"/"+model, pageSize, pageToken)
	if err != nil {
		return nil, "", err
	}
	err = db.view(func(t *tx) error {
		m, err := t.model(project, model)
		if err != nil {
			return err
		}
		next, err = p.ascending(t, bucketVersions, func(k, v []byte) error {
			r := &versionRecord{project: project, model: model}
			if err := decode(bucketVersions, k, v, r); err != nil {
				return err
			}
			versions = append(versions, r.publish(m))
			return nil
		})
		return err
	})
	return versions, next, err
}

// AllVersions returns the versions of all models of all projects, by name.
func (db *DB) AllVersions() ([]VersionRecord, error) {
	var records []VersionRecord
	err := db.view(func(t *tx) error {
		return t.Bucket(bucketVersions).ForEach(func(k, v []byte) error {
			parts := bytes.SplitN(k, []byte("/"), 3)
			r := &versionRecord{project: string(parts[0]), model: string(parts[1])}
			if err := decode(bucketVersions, k, v, r); err != nil {
				return err
			}
			m, err := t.model(r.project, r.model)
			if err != nil {
				return err
			}
			records = append(records, VersionRecord{
				Project:   r.project,
				Model:     r.model,
				Version:   r.publish(m),
				Operation: r.Operation,
				Replicas:  t.replicas(r),
				Memory:    r.Memory,
				Tuning:    r.Tuning,
			})
			return nil
		})
	})
	return records, err
}

// replicas gives those that the version is to have, and those of which there is a
// trace.
func (t *tx) replicas(r *versionRecord) (all []VersionReplica) {
	for i := 0; ; i++ {
		n := t.workerNumber(r.workerKey(i))
		if n == 0 && i >= r.Version.Replicas() {
			return all
		}
		gpus := r.GPUs
		if i > 0 {
			gpus = r.Replicas[i]
		}
		all = append(all, VersionReplica{n, gpus})
	}
}

// workerKey is the key of a replica's worker number: that of the version for the
// first.
func (r *versionRecord) workerKey(replica int) []byte {
	if replica == 0 {
		return r.key()
	}
	return fmt.Appendf(r.key(), "/%d", replica)
}

func (t *tx) workerNumber(key []byte) int {
	if b := t.Bucket(bucketWorkers).Get(key); b != nil {
		return int(binary.BigEndian.Uint64(b))
	}
	return 0
}

// NextWorkerNumber counts the workers started for a replica of a version, from 1. No
// number is given twice, not even after the version was deleted and another of its
// name created: numbers name folders. NOT_FOUND if there is no such version.
func (db *DB) NextWorkerNumber(project, model, version string, replica int) (int, error) {
	n := 0
	err := db.update(func(t *tx) error {
		_, r, err := t.modelAndVersion(project, model, version)
		if err != nil {
			return err
		}
		key := r.workerKey(replica)
		n = t.workerNumber(key) + 1
		return t.Bucket(bucketWorkers).Put(key, number(uint64(n)))
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// SetVersionGPUs notes which devices a replica of a version leases, by UUID.
// NOT_FOUND if there is no such version.
func (db *DB) SetVersionGPUs(project, model, version string, replica int, uuids []string) error {
	return db.changeVersion(project, model, version, func(r *versionRecord) {
		switch {
		case replica == 0:
			r.GPUs = uuids
		case len(uuids) == 0:
			delete(r.Replicas, replica)
		default:
			if r.Replicas == nil {
				r.Replicas = map[int][]string{}
			}
			r.Replicas[replica] = uuids
		}
	})
}

// SetVersionMeasured notes how many bytes of memory a worker of a version holds and how
// it found that the model runs best. NOT_FOUND if there is no such version.
func (db *DB) SetVersionMeasured(project, model, version string, bytes int64, tuning string) error {
	return db.changeVersion(project, model, version, func(r *versionRecord) { r.Memory, r.Tuning = bytes, tuning })
}

// changeVersion changes what only Hearth knows of a version; its etag stays.
func (db *DB) changeVersion(project, model, version string, change func(*versionRecord)) error {
	return db.update(func(t *tx) error {
		r, err := t.version(project, model, version)
		if err != nil {
			return err
		}
		change(r)
		return t.put(bucketVersions, r.key(), r)
	})
}
