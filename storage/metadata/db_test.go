package metadata

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

const project = "hearth"

// testDB is a real file whose invariants are checked at the end of each test.
type testDB struct {
	*DB
	t    testing.TB
	path string
}

// epoch is the moment before the first tick of a test's clock.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func openTest(t testing.TB) *testDB {
	t.Helper()
	db := &testDB{t: t, path: filepath.Join(t.TempDir(), "hearth.db")}
	db.reopen()
	t.Cleanup(func() {
		if err := db.Check(); err != nil {
			t.Errorf("invariants: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// reopen closes the file and opens it again.
func (db *testDB) reopen() {
	db.t.Helper()
	now := time.Now
	if db.DB != nil {
		now = db.Now
		if err := db.Close(); err != nil {
			db.t.Fatal(err)
		}
	}
	fresh, err := Open(db.path)
	if err != nil {
		db.t.Fatal(err)
	}
	fresh.Now = now
	db.DB = fresh
}

// reset begins again with an empty file.
func (db *testDB) reset() {
	db.t.Helper()
	if err := os.Remove(db.path); err != nil {
		db.t.Fatal(err)
	}
	db.reopen()
}

// tick gives the database a clock that steps a second per transaction.
func (db *testDB) tick() {
	var mu sync.Mutex
	now := epoch
	db.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}
}

// at is the time of the nth transaction after tick.
func at(n int) ml.Timestamp { return ml.At(epoch.Add(time.Duration(n) * time.Second)) }

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantError fails unless err is an ml.Error of the kind with the message.
func wantError(t testing.TB, err error, kind ml.Kind, message string) {
	t.Helper()
	var e *ml.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Message != message {
		t.Errorf("error is %v %q, want %v %q", ml.KindOf(err), err, kind, message)
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func trainingJob(id string) *ml.Job {
	return &ml.Job{
		JobID: id,
		TrainingInput: &ml.TrainingInput{
			ScaleTier:    "BASIC",
			PackageURIs:  []string{"gs://bucket/trainer-1.0.tar.gz"},
			PythonModule: "trainer.task",
			Args:         []string{"--epochs", "3"},
			Region:       "us-central1",
		},
		Labels: map[string]string{"team": "a"},
	}
}

func TestOpen(t *testing.T) {
	t.Run("Locked", func(t *testing.T) {
		db := openTest(t)
		_, err := Open(db.path)
		wantError(t, err, ml.FailedPrecondition, db.path+" is in use by another process")
	})
	t.Run("NotADatabase", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "hearth.db")
		if err := os.WriteFile(path, []byte("something else, and longer than a page header is"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil {
			t.Error("opened a file that is no database")
		}
	})
	t.Run("Private", func(t *testing.T) {
		db := openTest(t)
		info := must(os.Stat(db.path))(t)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode is %v", info.Mode())
		}
	})
}

func TestDB_Reopen(t *testing.T) {
	db := openTest(t)
	must(db.SubmitJob(project, trainingJob("a")))(t)
	attempt := must(db.StartAttempt(project, "a", Attempt{Lease: Lease{Resources: ml.Resources{CPUs: 2, Memory: 1 << 30, GPUs: 1}, GPUs: []string{"GPU-1"}}, SecretHash: []byte("hash")}))(t)
	must(db.CreateModel(project, &ml.Model{Name: "m"}))(t)
	_, op, err := db.CreateVersion(project, "m", &ml.Version{Name: "v"})
	if err != nil {
		t.Fatal(err)
	}
	job := must(db.Job(project, "a"))(t)
	model, version := must(db.Model(project, "m"))(t), must(db.Version(project, "m", "v"))(t)
	db.reopen()
	equal(t, "job", must(db.Job(project, "a"))(t), job)
	equal(t, "attempt", must(db.LatestAttempt(project, "a"))(t), attempt)
	equal(t, "model", must(db.Model(project, "m"))(t), model)
	equal(t, "version", must(db.Version(project, "m", "v"))(t), version)
	equal(t, "operation", must(db.Operation(project, ml.LastSegment(op.Name)))(t), op)
	equal(t, "unfinished", must(db.UnfinishedJobs())(t), []JobRecord{{Project: project, Job: job, Attempt: attempt}})
}

func TestDB_ConcurrentSubmits(t *testing.T) {
	db := openTest(t)
	const goroutines, each = 16, 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				// Two goroutines submit each id.
				id := fmt.Sprintf("job_%d_%d", g/2, i)
				_, err := db.SubmitJob(project, trainingJob(id))
				switch ml.KindOf(err) {
				case ml.OK:
					mu.Lock()
					won[id]++
					mu.Unlock()
				case ml.AlreadyExists:
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(won) != goroutines/2*each {
		t.Errorf("%d ids were accepted, want %d", len(won), goroutines/2*each)
	}
	for id, n := range won {
		if n != 1 {
			t.Errorf("%s was accepted %d times", id, n)
		}
	}
	if n := len(must(db.UnfinishedJobs())(t)); n != len(won) {
		t.Errorf("%d jobs are unfinished, want %d", n, len(won))
	}
}

// A reader sees a job with its indexes or not at all while others write.
func TestDB_ReadWhileWriting(t *testing.T) {
	db := openTest(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				records, err := db.UnfinishedJobs()
				if err != nil {
					t.Error(err)
				}
				for _, r := range records {
					if r.Job.State.Final() || (r.Job.State == ml.JobQueued) != (r.Attempt == nil) {
						t.Errorf("%s is %s with attempt %v", r.Job.JobID, r.Job.State, r.Attempt)
					}
				}
			}
		})
	}
	for i := range 30 {
		id := fmt.Sprintf("job_%d", i)
		must(db.SubmitJob(project, trainingJob(id)))(t)
		must(db.StartAttempt(project, id, Attempt{}))(t)
		must(db.SetJobRunning(project, id))(t)
		must(db.FinishJob(project, id, Finish{State: ml.JobSucceeded}))(t)
	}
	close(done)
	wg.Wait()
}
