package metadata

import (
	"fmt"
	"testing"

	"hearth/ml"
)

const jobNotFound = "The specified job was not found."

// inState makes a job and takes it to a state by the ordinary way.
func (db *testDB) inState(id string, state ml.JobState) *ml.Job {
	db.t.Helper()
	job := must(db.SubmitJob(project, trainingJob(id)))(db.t)
	if state == ml.JobQueued {
		return job
	}
	must(db.StartAttempt(project, id, Attempt{}))(db.t)
	switch state {
	case ml.JobRunning, ml.JobSucceeded:
		job = must(db.SetJobRunning(project, id))(db.t)
	case ml.JobCancelling, ml.JobCancelled:
		job = must(db.CancelJob(project, id))(db.t)
	}
	if state.Final() {
		job = must(db.FinishJob(project, id, Finish{State: state}))(db.t)
	}
	if state == ml.JobPreparing {
		job = must(db.Job(project, id))(db.t)
	}
	if job.State != state {
		db.t.Fatalf("job is %s, want %s", job.State, state)
	}
	return job
}

func TestDB_SubmitJob(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		db := openTest(t)
		db.tick()
		job := trainingJob("a")
		// What only the server says is not taken from the client.
		job.State, job.ErrorMessage, job.EndTime, job.Etag = ml.JobSucceeded, "no", at(9), []byte("x")
		job.TrainingOutput = &ml.TrainingOutput{ConsumedMLUnits: 7}
		got := must(db.SubmitJob(project, job))(t)
		want := trainingJob("a")
		want.State, want.CreateTime, want.Etag = ml.JobQueued, at(1), number(1)
		equal(t, "job", got, want)
		job.Labels["team"], job.TrainingInput.Args[0] = "b", "changed"
		equal(t, "stored job", must(db.Job(project, "a"))(t), want)
	})
	t.Run("AlreadyExists", func(t *testing.T) {
		db := openTest(t)
		first := must(db.SubmitJob(project, trainingJob("a")))(t)
		_, err := db.SubmitJob(project, trainingJob("a"))
		wantError(t, err, ml.AlreadyExists, "A job with this id already exists.")
		equal(t, "create time", must(db.Job(project, "a"))(t).CreateTime, first.CreateTime)
	})
	t.Run("FinishedIDIsTaken", func(t *testing.T) {
		db := openTest(t)
		db.inState("a", ml.JobFailed)
		_, err := db.SubmitJob(project, trainingJob("a"))
		wantError(t, err, ml.AlreadyExists, "A job with this id already exists.")
	})
	t.Run("OtherProject", func(t *testing.T) {
		db := openTest(t)
		must(db.SubmitJob(project, trainingJob("a")))(t)
		must(db.SubmitJob("hearth2", trainingJob("a")))(t)
	})
	t.Run("BadName", func(t *testing.T) {
		db := openTest(t)
		_, err := db.SubmitJob(project, trainingJob("a/b"))
		if ml.KindOf(err) != ml.InvalidArgument {
			t.Errorf("error is %v", err)
		}
	})
}

func TestDB_Job(t *testing.T) {
	t.Run("NotFound", func(t *testing.T) {
		db := openTest(t)
		_, err := db.Job(project, "a")
		wantError(t, err, ml.NotFound, jobNotFound)
		must(db.SubmitJob(project, trainingJob("a")))(t)
		_, err = db.Job("other", "a")
		wantError(t, err, ml.NotFound, jobNotFound)
	})
}

func TestDB_Jobs(t *testing.T) {
	db := openTest(t)
	const n = 45
	for i := range n {
		must(db.SubmitJob(project, trainingJob(fmt.Sprintf("j%d", i))))(t)
		must(db.SubmitJob("hearth2", trainingJob(fmt.Sprintf("k%d", i))))(t)
	}
	for _, size := range []int{0, 1, 7, 44, 45, 46, 1000} {
		t.Run(fmt.Sprintf("PageSize%d", size), func(t *testing.T) {
			token, seen := "", 0
			for pages := 1; ; pages++ {
				jobs, next, err := db.Jobs(project, size, token)
				if err != nil {
					t.Fatal(err)
				}
				for _, j := range jobs {
					seen++
					if want := fmt.Sprintf("j%d", n-seen); j.JobID != want {
						t.Fatalf("got %s, want %s", j.JobID, want)
					}
				}
				if next == "" {
					break
				}
				if token = next; len(jobs) == 0 || pages > n {
					t.Fatal("the listing does not end")
				}
			}
			if seen != n {
				t.Errorf("listed %d jobs, want %d", seen, n)
			}
		})
	}
	t.Run("NewJobsDoNotShiftPages", func(t *testing.T) {
		_, next, _ := db.Jobs(project, 2, "")
		must(db.SubmitJob(project, trainingJob("late")))(t)
		jobs, _, err := db.Jobs(project, 2, next)
		if err != nil || jobs[0].JobID != "j42" {
			t.Errorf("second page begins with %v, %v", jobs, err)
		}
	})
	t.Run("Empty", func(t *testing.T) {
		jobs, next, err := db.Jobs("none", 0, "")
		if len(jobs) != 0 || next != "" || err != nil {
			t.Errorf("got %v, %q, %v", jobs, next, err)
		}
	})
}

func TestDB_UnfinishedJobs(t *testing.T) {
	db := openTest(t)
	states := []ml.JobState{ml.JobQueued, ml.JobPreparing, ml.JobRunning, ml.JobSucceeded, ml.JobFailed, ml.JobCancelling, ml.JobCancelled}
	for _, s := range states {
		db.inState("job_"+string(s), s)
	}
	must(db.SubmitJob("other", trainingJob("x")))(t)
	var got []string
	for _, r := range must(db.UnfinishedJobs())(t) {
		got = append(got, fmt.Sprint(r.Project, " ", r.Job.State, " ", r.Attempt != nil))
	}
	equal(t, "unfinished jobs", got, []string{
		"hearth QUEUED false", "hearth PREPARING true", "hearth RUNNING true", "hearth CANCELLING true", "other QUEUED false",
	})
}

func TestDB_StartAttempt(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		db := openTest(t)
		db.tick()
		must(db.SubmitJob(project, trainingJob("a")))(t)
		lease := Lease{Resources: ml.Resources{CPUs: 2, Memory: 1 << 30, GPUs: 1}, GPUs: []string{"GPU-1"}, Ports: []int{20000}}
		replicas := []Replica{{ml.Replica{Kind: ml.ReplicaMaster}, []string{"GPU-1"}, 20000}}
		got := must(db.StartAttempt(project, "a", Attempt{ID: "ignored", Number: 7, Lease: lease, Replicas: replicas, SecretHash: []byte("hash")}))(t)
		want := &Attempt{ID: "hearth.a.1", Project: project, Job: "a", Number: 1, Lease: lease, Replicas: replicas, SecretHash: []byte("hash"), Created: at(2)}
		equal(t, "attempt", got, want)
		equal(t, "latest attempt", must(db.LatestAttempt(project, "a"))(t), want)
		job := must(db.Job(project, "a"))(t)
		if job.State != ml.JobPreparing || !job.StartTime.IsZero() {
			t.Errorf("job is %+v", job)
		}
	})
	for _, s := range []ml.JobState{ml.JobPreparing, ml.JobRunning, ml.JobSucceeded, ml.JobFailed, ml.JobCancelling, ml.JobCancelled} {
		t.Run(string(s), func(t *testing.T) {
			db := openTest(t)
			before := db.inState("a", s)
			_, err := db.StartAttempt(project, "a", Attempt{})
			wantError(t, err, ml.FailedPrecondition, fmt.Sprintf("a job that is %s cannot become PREPARING", s))
			equal(t, "job", must(db.Job(project, "a"))(t), before)
			equal(t, "attempts", must(db.LatestAttempt(project, "a"))(t).Number, 1)
		})
	}
	t.Run("NotFound", func(t *testing.T) {
		_, err := openTest(t).StartAttempt(project, "a", Attempt{})
		wantError(t, err, ml.NotFound, jobNotFound)
	})
}

func TestDB_LatestAttempt(t *testing.T) {
	db := openTest(t)
	_, err := db.LatestAttempt(project, "a")
	wantError(t, err, ml.NotFound, jobNotFound)
	db.inState("a", ml.JobQueued)
	_, err = db.LatestAttempt(project, "a")
	wantError(t, err, ml.NotFound, "The job has not been started.")
}

// What each call makes of a job in each state: the state after it, or "" where
// it is refused.
func TestDB_Transitions(t *testing.T) {
	calls := []struct {
		name string
		call func(db *testDB) (*ml.Job, error)
		want map[ml.JobState]ml.JobState
	}{
		{"SetJobRunning", func(db *testDB) (*ml.Job, error) { return db.SetJobRunning(project, "a") }, map[ml.JobState]ml.JobState{
			ml.JobQueued: "", ml.JobPreparing: ml.JobRunning, ml.JobRunning: ml.JobRunning, ml.JobCancelling: ml.JobCancelling,
		}},
		{"CancelJob", func(db *testDB) (*ml.Job, error) { return db.CancelJob(project, "a") }, map[ml.JobState]ml.JobState{
			ml.JobQueued: ml.JobCancelled, ml.JobPreparing: ml.JobCancelling, ml.JobRunning: ml.JobCancelling, ml.JobCancelling: ml.JobCancelling,
		}},
		{"FinishJob SUCCEEDED", func(db *testDB) (*ml.Job, error) {
			return db.FinishJob(project, "a", Finish{State: ml.JobSucceeded})
		}, map[ml.JobState]ml.JobState{
			ml.JobQueued: "", ml.JobPreparing: "", ml.JobRunning: ml.JobSucceeded, ml.JobCancelling: ml.JobCancelled,
		}},
		{"FinishJob FAILED", func(db *testDB) (*ml.Job, error) {
			return db.FinishJob(project, "a", Finish{State: ml.JobFailed, ErrorMessage: "why"})
		}, map[ml.JobState]ml.JobState{
			ml.JobQueued: ml.JobFailed, ml.JobPreparing: ml.JobFailed, ml.JobRunning: ml.JobFailed, ml.JobCancelling: ml.JobCancelled,
		}},
		{"FinishJob CANCELLED", func(db *testDB) (*ml.Job, error) {
			return db.FinishJob(project, "a", Finish{State: ml.JobCancelled})
		}, map[ml.JobState]ml.JobState{
			ml.JobQueued: ml.JobCancelled, ml.JobPreparing: "", ml.JobRunning: "", ml.JobCancelling: ml.JobCancelled,
		}},
		{"FinishJob RUNNING", func(db *testDB) (*ml.Job, error) {
			return db.FinishJob(project, "a", Finish{State: ml.JobRunning})
		}, map[ml.JobState]ml.JobState{
			ml.JobQueued: "", ml.JobPreparing: "", ml.JobRunning: "", ml.JobCancelling: ml.JobCancelled,
		}},
	}
	for _, c := range calls {
		for _, from := range []ml.JobState{ml.JobQueued, ml.JobPreparing, ml.JobRunning, ml.JobCancelling, ml.JobSucceeded, ml.JobFailed, ml.JobCancelled} {
			t.Run(c.name+"/"+string(from), func(t *testing.T) {
				db := openTest(t)
				db.inState("a", from)
				before := must(db.Job(project, "a"))(t)
				job, err := c.call(db)
				after := must(db.Job(project, "a"))(t)
				want, listed := c.want[from]
				if from.Final() {
					want, listed = from, true
				}
				switch {
				case !listed:
					t.Fatal("the table has no line for this state")
				case want == "":
					if ml.KindOf(err) != ml.FailedPrecondition {
						t.Errorf("error is %v", err)
					}
					equal(t, "job", after, before)
				case err != nil:
					t.Errorf("error is %v", err)
				case want == from:
					equal(t, "job", after, before)
				default:
					equal(t, "state", job.State, want)
					equal(t, "stored job", after, job)
					if string(before.Etag) >= string(after.Etag) {
						t.Errorf("etag went from %x to %x", before.Etag, after.Etag)
					}
				}
			})
		}
		t.Run(c.name+"/NotFound", func(t *testing.T) {
			_, err := c.call(openTest(t))
			wantError(t, err, ml.NotFound, jobNotFound)
		})
	}
}

func TestDB_FinishJob(t *testing.T) {
	t.Run("Failed", func(t *testing.T) {
		db := openTest(t)
		db.tick()
		db.inState("a", ml.JobRunning)
		exit := &ml.Exit{Code: 3, Reason: "exit status 3", Ended: at(3)}
		job := must(db.FinishJob(project, "a", Finish{State: ml.JobFailed, ErrorMessage: "The replica master 0 exited.", Exit: exit}))(t)
		equal(t, "times", []ml.Timestamp{job.CreateTime, job.StartTime, job.EndTime}, []ml.Timestamp{at(1), at(3), at(4)})
		equal(t, "message", job.ErrorMessage, "The replica master 0 exited.")
		a := must(db.LatestAttempt(project, "a"))(t)
		equal(t, "exit", a.Exit, exit)
		equal(t, "ended", a.Ended, at(4))
	})
	t.Run("CancelledHasNoError", func(t *testing.T) {
		db := openTest(t)
		db.inState("a", ml.JobCancelling)
		exit := &ml.Exit{Code: 143, Signal: "SIGTERM", Stopped: true}
		job := must(db.FinishJob(project, "a", Finish{State: ml.JobFailed, ErrorMessage: "exit status 143", Exit: exit}))(t)
		equal(t, "message", job.ErrorMessage, "")
		equal(t, "exit", must(db.LatestAttempt(project, "a"))(t).Exit, exit)
	})
	t.Run("NeverStarted", func(t *testing.T) {
		db := openTest(t)
		db.inState("a", ml.JobQueued)
		job := must(db.FinishJob(project, "a", Finish{State: ml.JobFailed, ErrorMessage: "no runtime"}))(t)
		if !job.StartTime.IsZero() || job.EndTime.IsZero() {
			t.Errorf("job is %+v", job)
		}
	})
}

func TestDB_RequeueJob(t *testing.T) {
	lost := &ml.Exit{Code: -1, Lost: true}
	for _, s := range []ml.JobState{ml.JobPreparing, ml.JobRunning} {
		t.Run(string(s), func(t *testing.T) {
			db := openTest(t)
			before := db.inState("a", s)
			got := must(db.RequeueJob(project, "a", lost))(t)
			if got.State != ml.JobQueued || !got.StartTime.IsZero() || got.CreateTime != before.CreateTime {
				t.Errorf("job is %+v", got)
			}
			a := must(db.LatestAttempt(project, "a"))(t)
			if a.Ended.IsZero() || a.Cause != CauseInfrastructure || a.Exit == nil || !a.Exit.Lost {
				t.Errorf("attempt is %+v", a)
			}
			equal(t, "next attempt", must(db.StartAttempt(project, "a", Attempt{}))(t).Number, 2)
		})
	}
	for _, s := range []ml.JobState{ml.JobQueued, ml.JobCancelling, ml.JobFailed, ml.JobSucceeded} {
		t.Run(string(s)+" stays", func(t *testing.T) {
			db := openTest(t)
			before := db.inState("a", s)
			equal(t, "job", must(db.RequeueJob(project, "a", lost))(t), before)
		})
	}
}
