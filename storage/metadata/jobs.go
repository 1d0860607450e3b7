package metadata

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"hearth/ml"
)

// jobRecord is what we keep of a job: its public form, without the position in
// the queue, and how many attempts it has had.
type jobRecord struct {
	Project  string  `json:"project"`
	Attempts int     `json:"attempts,omitempty"`
	Job      *ml.Job `json:"job"`

	key []byte
}

// JobRecord is an unfinished job with its newest attempt, nil if it has none.
type JobRecord struct {
	Project string
	Job     *ml.Job
	Attempt *Attempt
}

// Finish is how a job ended. State is SUCCEEDED or FAILED; Exit is nil if no
// process of it ran.
type Finish struct {
	State        ml.JobState
	ErrorMessage string
	Exit         *ml.Exit
	// Cause is set for a failure.
	Cause Cause
	// Prediction is what a batch prediction has to tell, nil for other jobs.
	Prediction *ml.PredictionOutput
}

// SubmitJob takes the job into the queue and returns it as stored: QUEUED,
// with its creation time and etag, output-only fields emptied. An id that the
// project has used is ALREADY_EXISTS. Submits of many goroutines share a
// commit.
func (db *DB) SubmitJob(project string, job *ml.Job) (*ml.Job, error) {
	if err := ml.CheckID("jobId", job.JobID); err != nil {
		return nil, err
	}
	var stored *ml.Job
	err := db.batch(func(t *tx) error {
		if t.Bucket(bucketJobIDs).Get([]byte(project+"/"+job.JobID)) != nil {
			return &ml.Error{Kind: ml.AlreadyExists, Field: "jobId", Message: "A job with this id already exists."}
		}
		var err error
		stored, err = t.submit(project, *job)
		return err
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

func (t *tx) submit(project string, job ml.Job) (*ml.Job, error) {
	seq, err := t.Bucket(bucketJobs).NextSequence()
	if err != nil {
		return nil, err
	}
	job.State, job.CreateTime = ml.JobQueued, t.now
	job.StartTime, job.EndTime, job.ErrorMessage, job.JobPosition = ml.Timestamp{}, ml.Timestamp{}, "", 0
	job.TrainingOutput, job.PredictionOutput = nil, nil
	r := &jobRecord{Project: project, Job: &job, key: numbered(project, seq)}
	if err := t.putJob(r); err != nil {
		return nil, err
	}
	if err := t.Bucket(bucketJobIDs).Put([]byte(project+"/"+job.JobID), number(seq)); err != nil {
		return nil, err
	}
	// Read back what was written: the caller's maps and slices stay the caller's.
	r, err = t.job(project, job.JobID)
	if err != nil {
		return nil, err
	}
	return r.Job, nil
}

// putJob writes the record with a new etag and keeps the indexes true.
func (t *tx) putJob(r *jobRecord) error {
	etag, err := t.etag()
	if err != nil {
		return err
	}
	r.Job.Etag = etag
	if err := t.put(bucketJobs, r.key, r); err != nil {
		return err
	}
	return t.index(bucketUnfinished, r.key, !r.Job.State.Final())
}

// index enters the job in an index by sequence number or takes it out.
func (t *tx) index(bucket, key []byte, in bool) error {
	b, seq := t.Bucket(bucket), key[len(key)-8:]
	if !in {
		return b.Delete(seq)
	}
	if b.Get(seq) != nil {
		return nil
	}
	return b.Put(seq, key)
}

// job reads a job's record by its name: NOT_FOUND if there is none.
func (t *tx) job(project, id string) (*jobRecord, error) {
	seq := t.Bucket(bucketJobIDs).Get([]byte(project + "/" + id))
	if seq == nil {
		return nil, &ml.Error{Kind: ml.NotFound, Field: "name", Message: "The specified job was not found."}
	}
	return t.jobAt(numbered(project, binary.BigEndian.Uint64(seq)))
}

func (t *tx) jobAt(key []byte) (*jobRecord, error) {
	r := &jobRecord{key: bytes.Clone(key)}
	found, err := t.get(bucketJobs, key, r)
	if err == nil && !found {
		err = fmt.Errorf("job record %q is missing", key)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Job returns a job as it is stored: without its position in the queue, which
// is the scheduler's to tell. NOT_FOUND if there is none.
func (db *DB) Job(project, id string) (*ml.Job, error) {
	var job *ml.Job
	err := db.view(func(t *tx) error {
		r, err := t.job(project, id)
		if err != nil {
			return err
		}
		job = r.Job
		return nil
	})
	return job, err
}

// Jobs lists a project's jobs, the newest first. pageSize 0 means 20, and 100
// is the most; next is empty on the last page. A token that is not of this
// listing is INVALID_ARGUMENT.
func (db *DB) Jobs(project string, pageSize int, pageToken string) (jobs []*ml.Job, next string, err error) {
	p, err := newPage(bucketJobs, project, pageSize, pageToken)
	if err != nil {
		return nil, "", err
	}
	err = db.view(func(t *tx) error {
		next, err = p.descending(t, bucketJobs, func(k, v []byte) error {
			r := &jobRecord{key: k}
			if err := decode(bucketJobs, k, v, r); err != nil {
				return err
			}
			jobs = append(jobs, r.Job)
			return nil
		})
		return err
	})
	return jobs, next, err
}

// UnfinishedJobs returns the jobs of all projects whose state is not final, in
// submit order. Finished jobs cost nothing.
func (db *DB) UnfinishedJobs() ([]JobRecord, error) {
	var records []JobRecord
	err := db.view(func(t *tx) error {
		return t.Bucket(bucketUnfinished).ForEach(func(_, key []byte) error {
			r, err := t.jobAt(key)
			if err != nil {
				return err
			}
			a, err := t.latestAttempt(r)
			if err != nil {
				return err
			}
			records = append(records, JobRecord{Project: r.Project, Job: r.Job, Attempt: a})
			return nil
		})
	})
	return records, err
}

// changeJob applies change to a job in one transaction; errUnchanged from it
// leaves the job as it is.
func (db *DB) changeJob(project, id string, change func(*tx, *jobRecord) error) (*ml.Job, error) {
	var job *ml.Job
	err := db.update(func(t *tx) error {
		r, err := t.job(project, id)
		if err != nil {
			return err
		}
		job = r.Job
		if err := change(t, r); err != nil {
			return err
		}
		return t.putJob(r)
	})
	if err != nil {
		return nil, err
	}
	return job, nil
}

// step takes the job to the next state, if that is legal, with the times that
// belong to it.
func (r *jobRecord) step(t *tx, next ml.JobState) error {
	if err := r.Job.State.To(next); err != nil {
		return err
	}
	r.Job.State = next
	switch {
	case next == ml.JobQueued:
		r.Job.StartTime = ml.Timestamp{}
	case next == ml.JobRunning:
		r.Job.StartTime = t.now
	case next.Final():
		r.Job.EndTime = t.now
	}
	return nil
}

// SetJobRunning takes a PREPARING job to RUNNING. A job that is RUNNING,
// CANCELLING or final already is returned unchanged; one that is QUEUED is
// FAILED_PRECONDITION.
func (db *DB) SetJobRunning(project, id string) (*ml.Job, error) {
	return db.changeJob(project, id, func(t *tx, r *jobRecord) error {
		if s := r.Job.State; s != ml.JobQueued && s != ml.JobPreparing {
			return errUnchanged
		}
		return r.step(t, ml.JobRunning)
	})
}

// CancelJob takes a QUEUED job to CANCELLED and a PREPARING or RUNNING one to
// CANCELLING. A job that is CANCELLING or final is returned unchanged.
func (db *DB) CancelJob(project, id string) (*ml.Job, error) {
	return db.changeJob(project, id, func(t *tx, r *jobRecord) error {
		switch s := r.Job.State; {
		case s == ml.JobCancelling || s.Final():
			return errUnchanged
		case s == ml.JobQueued:
			return r.step(t, ml.JobCancelled)
		}
		return r.step(t, ml.JobCancelling)
	})
}

// FinishJob takes a job to its final state and ends its attempt. A CANCELLING
// job becomes CANCELLED whatever f says. A final job is returned unchanged.
// SUCCEEDED from any state but RUNNING is FAILED_PRECONDITION.
func (db *DB) FinishJob(project, id string, f Finish) (*ml.Job, error) {
	return db.changeJob(project, id, func(t *tx, r *jobRecord) error {
		if r.Job.State.Final() {
			return errUnchanged
		}
		if r.Job.State == ml.JobCancelling {
			f.State, f.ErrorMessage = ml.JobCancelled, ""
		}
		if !f.State.Final() {
			return ml.Errorf(ml.FailedPrecondition, "a job does not end as %s", f.State)
		}
		if err := r.step(t, f.State); err != nil {
			return err
		}
		r.Job.ErrorMessage, r.Job.PredictionOutput = f.ErrorMessage, f.Prediction
		return t.endAttempt(r, f)
	})
}

// RequeueJob ends the attempt of a PREPARING or RUNNING job that what it runs
// on has failed, and takes the job back to QUEUED. It keeps its place by submit
// time. A job in any other state is returned unchanged.
func (db *DB) RequeueJob(project, id string, exit *ml.Exit) (*ml.Job, error) {
	return db.changeJob(project, id, func(t *tx, r *jobRecord) error {
		if s := r.Job.State; s != ml.JobPreparing && s != ml.JobRunning {
			return errUnchanged
		}
		if err := r.step(t, ml.JobQueued); err != nil {
			return err
		}
		return t.endAttempt(r, Finish{Exit: exit, Cause: CauseInfrastructure})
	})
}
