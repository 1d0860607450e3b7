package metadata

import (
	"fmt"

	"hearth/ml"
)

// Attempt is one run of a job: what it holds and how it ended. The scheduler
// alone writes it.
type Attempt struct {
	// ID is PROJECT.JOB.NUMBER; it names the attempt's folder.
	ID      string `json:"id"`
	Project string `json:"project"`
	Job     string `json:"job"`
	// Number counts the job's attempts, from 1.
	Number int   `json:"number"`
	Lease  Lease `json:"lease"`
	// Replicas are the processes, the master first, and which part of the
	// lease each has.
	Replicas []Replica `json:"replicas,omitempty"`
	// SecretHash is the hash of the password with which this run of the job
	// proves who it is.
	SecretHash []byte       `json:"secretHash,omitempty"`
	Created    ml.Timestamp `json:"created,omitzero"`
	// Ended is zero while the attempt holds its lease.
	Ended ml.Timestamp `json:"ended,omitzero"`
	// Exit is nil until the attempt has ended, and also after if no process of
	// it ran.
	Exit *ml.Exit `json:"exit,omitempty"`
	// Cause says whose doing a failure was.
	Cause Cause `json:"cause,omitempty"`
}

// Cause says whose doing the failure of an attempt was.
type Cause string

// The program failed by itself, or what it runs on failed it.
const (
	CauseProgram        Cause = "program"
	CauseInfrastructure Cause = "infrastructure"
)

// Replica is one process of an attempt and what of the lease is its own.
type Replica struct {
	ml.Replica
	// GPUs are the UUIDs of the devices that it sees.
	GPUs []string `json:"gpus,omitempty"`
	// Port is where it listens on the loopback address, 0 if it is in no
	// cluster.
	Port int `json:"port,omitempty"`
}

// Lease is what an attempt holds of the machine until it has ended.
type Lease struct {
	Resources ml.Resources `json:"resources"`
	// GPUs are the UUIDs of the devices.
	GPUs []string `json:"gpus,omitempty"`
	// Ports are reserved on the loopback address.
	Ports []int `json:"ports,omitempty"`
	// User is the one that the processes run as, 0 for the daemon's.
	User uint32 `json:"user,omitempty"`
}

func attemptKey(project, job string, n int) []byte { return numbered(project+"/"+job, uint64(n)) }

// StartAttempt takes a QUEUED job to PREPARING and records its next attempt,
// of which start says what it leases, its replicas and the hash of its password, in one
// transaction. A job in any other state is FAILED_PRECONDITION: so a job never
// has two attempts that hold a lease.
func (db *DB) StartAttempt(project, id string, start Attempt) (*Attempt, error) {
	var a *Attempt
	_, err := db.changeJob(project, id, func(t *tx, r *jobRecord) error {
		if err := r.step(t, ml.JobPreparing); err != nil {
			return err
		}
		r.Attempts++
		err := t.put(bucketAttempts, attemptKey(project, id, r.Attempts), &Attempt{
			ID:         fmt.Sprintf("%s.%s.%d", project, id, r.Attempts),
			Project:    project,
			Job:        id,
			Number:     r.Attempts,
			Lease:      start.Lease,
			Replicas:   start.Replicas,
			SecretHash: start.SecretHash,
			Created:    t.now,
		})
		if err != nil {
			return err
		}
		a, err = t.latestAttempt(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// latestAttempt reads the job's newest attempt, nil if it has none.
func (t *tx) latestAttempt(r *jobRecord) (*Attempt, error) {
	if r.Attempts == 0 {
		return nil, nil
	}
	a, key := &Attempt{}, attemptKey(r.Project, r.Job.JobID, r.Attempts)
	found, err := t.get(bucketAttempts, key, a)
	if err == nil && !found {
		err = fmt.Errorf("attempt record %q is missing", key)
	}
	if err != nil {
		return nil, err
	}
	if len(a.Replicas) == 0 {
		// Written before there was more than one.
		a.Replicas = []Replica{{Replica: ml.Replica{Kind: ml.ReplicaMaster}, GPUs: a.Lease.GPUs}}
	}
	return a, nil
}

// endAttempt ends the job's newest attempt, if it has one that has not ended:
// its lease is free.
func (t *tx) endAttempt(r *jobRecord, f Finish) error {
	a, err := t.latestAttempt(r)
	if err != nil || a == nil || !a.Ended.IsZero() {
		return err
	}
	a.Ended, a.Exit, a.Cause = t.now, f.Exit, f.Cause
	return t.put(bucketAttempts, attemptKey(a.Project, a.Job, a.Number), a)
}

// LatestAttempt returns the job's newest attempt. NOT_FOUND if there is no
// such job or it has not been started.
func (db *DB) LatestAttempt(project, id string) (*Attempt, error) {
	var a *Attempt
	err := db.view(func(t *tx) error {
		r, err := t.job(project, id)
		if err != nil {
			return err
		}
		if a, err = t.latestAttempt(r); err == nil && a == nil {
			err = ml.Errorf(ml.NotFound, "The job has not been started.")
		}
		return err
	})
	return a, err
}
