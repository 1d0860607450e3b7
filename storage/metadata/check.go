package metadata

import (
	"bytes"
	"errors"
	"fmt"

	"hearth/ml"
)

// Check reads the whole file and reports each invariant that does not hold:
// bbolt's own structure; the index names exactly the unfinished
// jobs; a job holds a lease exactly while it is PREPARING, RUNNING or
// CANCELLING, through its newest attempt; a model's default is one of its READY
// versions; a version has an operation under way exactly while it is CREATING
// or DELETING. It takes time and memory by the size of the file: it is for tests
// and suspect files.
func (db *DB) Check() error {
	var problems []error
	err := db.view(func(t *tx) error {
		for err := range t.Check() {
			problems = append(problems, err)
		}
		problems = append(problems, t.checkJobs(), t.checkAttempts(), t.checkModels(), t.checkVersions())
		return nil
	})
	return errors.Join(append(problems, err)...)
}

func (t *tx) checkJobs() error {
	var problems []error
	unfinished, total := 0, 0
	err := t.Bucket(bucketJobs).ForEach(func(k, v []byte) error {
		r := &jobRecord{}
		if err := decode(bucketJobs, k, v, r); err != nil {
			return err
		}
		total++
		s, seq := r.Job.State, k[len(k)-8:]
		if !bytes.Equal(t.Bucket(bucketJobIDs).Get([]byte(r.Project+"/"+r.Job.JobID)), seq) {
			problems = append(problems, fmt.Errorf("job %s is not found by its id", r.Job.JobID))
		}
		if !s.Final() {
			unfinished++
		}
		if in := bytes.Equal(t.Bucket(bucketUnfinished).Get(seq), k); in == s.Final() {
			problems = append(problems, fmt.Errorf("job %s is %s; in the index of unfinished jobs: %t", r.Job.JobID, s, in))
		}
		if s.Final() == r.Job.EndTime.IsZero() {
			problems = append(problems, fmt.Errorf("job %s is %s with end time %s", r.Job.JobID, s, r.Job.EndTime))
		}
		a, err := t.latestAttempt(r)
		if err != nil {
			return err
		}
		live := a != nil && a.Ended.IsZero()
		if holds := !s.Final() && s != ml.JobQueued; live != holds {
			problems = append(problems, fmt.Errorf("job %s is %s; has a live attempt: %t", r.Job.JobID, s, live))
		}
		return nil
	})
	for _, index := range []struct {
		bucket []byte
		want   int
	}{{bucketJobIDs, total}, {bucketUnfinished, unfinished}} {
		if n := t.countKeys(index.bucket); n != index.want {
			problems = append(problems, fmt.Errorf("index %s has %d entries instead of %d", index.bucket, n, index.want))
		}
	}
	return errors.Join(append(problems, err)...)
}

func (t *tx) countKeys(bucket []byte) int { return t.Bucket(bucket).Stats().KeyN }

// checkAttempts sees that only a job's newest attempt is live.
func (t *tx) checkAttempts() error {
	var problems []error
	err := t.Bucket(bucketAttempts).ForEach(func(k, v []byte) error {
		a := &Attempt{}
		if err := decode(bucketAttempts, k, v, a); err != nil {
			return err
		}
		r, err := t.job(a.Project, a.Job)
		if err != nil {
			return fmt.Errorf("attempt %s: %w", a.ID, err)
		}
		if a.Number > r.Attempts || a.Number < r.Attempts && a.Ended.IsZero() {
			problems = append(problems, fmt.Errorf("attempt %s of %d has end time %s", a.ID, r.Attempts, a.Ended))
		}
		return nil
	})
	return errors.Join(append(problems, err)...)
}

// checkModels sees that a default version exists and is READY, and that a
// model without one has no READY version.
func (t *tx) checkModels() error {
	var problems []error
	ready := map[string]bool{}
	err := t.Bucket(bucketVersions).ForEach(func(k, v []byte) error {
		r := &versionRecord{}
		err := decode(bucketVersions, k, v, r)
		if err == nil && r.Version.State == ml.VersionReady {
			ready[string(k[:bytes.LastIndexByte(k, '/')])] = true
			ready[string(k)] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	err = t.Bucket(bucketModels).ForEach(func(k, v []byte) error {
		r := &modelRecord{}
		if err := decode(bucketModels, k, v, r); err != nil {
			return err
		}
		if r.Default == "" && ready[string(k)] || r.Default != "" && !ready[string(k)+"/"+r.Default] {
			problems = append(problems, fmt.Errorf("model %s has default version %q; has a version that is READY: %t", k, r.Default, ready[string(k)]))
		}
		return nil
	})
	return errors.Join(append(problems, err)...)
}

// checkVersions sees that a version and the operation under way on it agree,
// and that no other operation is unfinished.
func (t *tx) checkVersions() error {
	var problems []error
	underWay := map[string]bool{}
	err := t.Bucket(bucketVersions).ForEach(func(k, v []byte) error {
		project, rest, _ := bytes.Cut(k, []byte("/"))
		model, _, _ := bytes.Cut(rest, []byte("/"))
		r := &versionRecord{project: string(project), model: string(model)}
		if err := decode(bucketVersions, k, v, r); err != nil {
			return err
		}
		if _, err := t.model(r.project, r.model); err != nil {
			problems = append(problems, fmt.Errorf("version %s: %w", k, err))
		}
		s := r.Version.State
		if changing := s == ml.VersionCreating || s == ml.VersionDeleting; changing != (r.Operation != "") {
			problems = append(problems, fmt.Errorf("version %s is %s with operation %q under way", k, s, r.Operation))
		}
		if r.Operation != "" {
			underWay[ml.OperationName(r.project, r.Operation)] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = t.Bucket(bucketOperations).ForEach(func(k, v []byte) error {
		op := &ml.Operation{}
		if err := decode(bucketOperations, k, v, op); err != nil {
			return err
		}
		if op.Done == underWay[op.Name] {
			problems = append(problems, fmt.Errorf("operation %s; done: %t; under way on a version: %t", op.Name, op.Done, underWay[op.Name]))
		}
		if op.Done != (op.Error != nil || op.Response != nil) {
			problems = append(problems, fmt.Errorf("operation %s; done: %t; has a result: %t", op.Name, op.Done, !op.Done))
		}
		delete(underWay, op.Name)
		return nil
	})
	for name := range underWay {
		problems = append(problems, fmt.Errorf("operation %s is under way on a version and has no record", name))
	}
	return errors.Join(append(problems, err)...)
}
