package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"hearth/ml"
)

// version1 is a file of schema version 1 as it was written then: it must stay
// readable for ever, so it is never changed.
var version1 = []struct{ bucket, key, value string }{
	{"meta", "schema", "\x00\x00\x00\x00\x00\x00\x00\x01"},
	{"jobs", "hearth/\x00\x00\x00\x00\x00\x00\x00\x01", `{"project":"hearth","attempts":1,"job":{"jobId":"old","trainingInput":{"scaleTier":"BASIC","packageUris":["gs://b/p.tar.gz"],"pythonModule":"trainer.task","region":"r"},"createTime":"2026-01-02T03:04:05.000000006Z","startTime":"2026-01-02T03:04:07.000000006Z","state":"RUNNING","etag":"AAAAAAAAAAM="}}`},
	{"jobs", "hearth/\x00\x00\x00\x00\x00\x00\x00\x02", `{"project":"hearth","job":{"jobId":"waiting","trainingInput":{"pythonModule":"trainer.task"},"createTime":"2026-01-02T03:04:06.000000006Z","state":"QUEUED","etag":"AAAAAAAAAAQ="}}`},
	{"job_ids", "hearth/old", "\x00\x00\x00\x00\x00\x00\x00\x01"},
	{"job_ids", "hearth/waiting", "\x00\x00\x00\x00\x00\x00\x00\x02"},
	{"unfinished", "\x00\x00\x00\x00\x00\x00\x00\x01", "hearth/\x00\x00\x00\x00\x00\x00\x00\x01"},
	{"unfinished", "\x00\x00\x00\x00\x00\x00\x00\x02", "hearth/\x00\x00\x00\x00\x00\x00\x00\x02"},
	{"queued", "\x00\x00\x00\x00\x00\x00\x00\x02", "hearth/\x00\x00\x00\x00\x00\x00\x00\x02"},
	{"attempts", "hearth/old/\x00\x00\x00\x00\x00\x00\x00\x01", `{"id":"hearth.old.1","project":"hearth","job":"old","number":1,"lease":{"resources":{"cpus":2,"memory":1024,"gpus":1},"gpus":["GPU-1"]},"secretHash":"aGFzaA==","created":"2026-01-02T03:04:06.000000006Z"}`},
	{"models", "hearth/m", `{"default":"v1","model":{"name":"m","regions":["r"],"etag":"AAAAAAAAAAU="}}`},
	{"versions", "hearth/m/v1", `{"version":{"name":"v1","deploymentUri":"gs://b/m/","createTime":"2026-01-02T03:04:06.000000006Z","state":"READY","etag":"AAAAAAAAAAY="}}`},
	{"worker_numbers", "hearth/m/v1", "\x00\x00\x00\x00\x00\x00\x00\x04"},
	{"operations", "hearth/\x00\x00\x00\x00\x00\x00\x00\x01", `{"name":"projects/hearth/operations/create_m_v1-1","metadata":{"@type":"type.googleapis.com/google.cloud.ml.v1.OperationMetadata","operationType":"CREATE_VERSION"},"done":true,"response":{"@type":"type.googleapis.com/google.cloud.ml.v1.Version"}}`},
	{"operation_ids", "hearth/create_m_v1-1", "\x00\x00\x00\x00\x00\x00\x00\x01"},
}

// writeFile makes a database of the records, bypassing this package.
func writeFile(t *testing.T, records []struct{ bucket, key, value string }) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hearth.db")
	b := must(bbolt.Open(path, 0o600, nil))(t)
	err := b.Update(func(tx *bbolt.Tx) error {
		for _, r := range records {
			bucket, err := tx.CreateBucketIfNotExists([]byte(r.bucket))
			if err != nil {
				return err
			}
			if err := bucket.Put([]byte(r.key), []byte(r.value)); err != nil {
				return err
			}
			switch r.bucket {
			case "jobs", "operations", "meta":
				if err := bucket.SetSequence(bucket.Sequence() + 1); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen_Version1(t *testing.T) {
	db := must(Open(writeFile(t, version1)))(t)
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Check(); err != nil {
		t.Error(err)
	}
	records := must(db.UnfinishedJobs())(t)
	if len(records) != 2 || records[0].Job.JobID != "old" || records[0].Attempt.Lease.GPUs[0] != "GPU-1" || string(records[0].Attempt.SecretHash) != "hash" {
		t.Errorf("unfinished jobs are %+v", records)
	}
	equal(t, "master", records[0].Attempt.Replicas, []Replica{{ml.Replica{Kind: ml.ReplicaMaster}, []string{"GPU-1"}, 0}})
	m := must(db.Model("hearth", "m"))(t)
	equal(t, "default version", m.DefaultVersion.Name, "projects/hearth/models/m/versions/v1")
	equal(t, "next worker", must(db.NextWorkerNumber("hearth", "m", "v1", 0))(t), 5)
	equal(t, "operation done", must(db.Operation("hearth", "create_m_v1-1"))(t).Done, true)
	must(db.SubmitJob("hearth", trainingJob("new")))(t)
	jobs, _, err := db.Jobs("hearth", 0, "")
	if err != nil || len(jobs) != 3 || jobs[0].JobID != "new" {
		t.Errorf("jobs are %v, %v", jobs, err)
	}
}

func TestOpen_Migrates(t *testing.T) {
	// A step to the next version, in which labels are written "tags".
	path := writeFile(t, version1)
	rename := func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("models"))
		return b.ForEach(func(k, v []byte) error {
			return b.Put(bytes.Clone(k), bytes.Replace(v, []byte(`"name":"m"`), []byte(`"name":"m","description":"migrated"`), 1))
		})
	}
	steps := append(append([]migration{}, migrations...), rename)
	for range 2 {
		db := must(open(path, steps))(t)
		equal(t, "description", must(db.Model("hearth", "m"))(t).Description, "migrated")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("NewerIsRefused", func(t *testing.T) {
		_, err := Open(path)
		wantError(t, err, ml.FailedPrecondition,
			"the file has schema version 3 and this hearth knows up to 2: use the newer hearth that wrote it")
	})
}

func TestOpen_MigrationFails(t *testing.T) {
	path := writeFile(t, version1)
	broken := errors.New("broken")
	steps := append(append([]migration{}, migrations...), func(tx *bbolt.Tx) error {
		return errors.Join(tx.DeleteBucket([]byte("models")), broken)
	})
	if _, err := open(path, steps); !errors.Is(err, broken) {
		t.Fatalf("error is %v", err)
	}
	db := must(Open(path))(t)
	must(db.Model("hearth", "m"))(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_ForeignFile(t *testing.T) {
	path := writeFile(t, []struct{ bucket, key, value string }{{"meta", "schema", "1"}})
	if _, err := Open(path); err == nil {
		t.Error("opened a file whose schema version cannot be read")
	}
}

// What Open makes today is what version1 says after its migrations: a change of
// the layout needs another.
func TestOpen_LayoutIsVersion1Migrated(t *testing.T) {
	db := openTest(t)
	db.tick()
	job := trainingJob("old")
	job.Labels = nil
	must(db.SubmitJob("hearth", job))(t)
	must(db.StartAttempt("hearth", "old", Attempt{Lease: Lease{Resources: ml.Resources{CPUs: 2, Memory: 1024, GPUs: 1}, GPUs: []string{"GPU-1"}}, SecretHash: []byte("hash")}))(t)
	buckets := map[string]bool{}
	for _, r := range version1 {
		buckets[r.bucket] = true
	}
	delete(buckets, "queued") // dropQueued
	err := db.bolt.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			if !buckets[string(name)] {
				t.Errorf("bucket %s is not of version 1", name)
			}
			delete(buckets, string(name))
			return nil
		})
	})
	if err != nil || len(buckets) > 0 {
		t.Errorf("missing buckets: %v, %v", buckets, err)
	}
	err = db.bolt.View(func(tx *bbolt.Tx) error {
		for _, want := range version1 {
			if want.bucket != "jobs" && want.bucket != "attempts" {
				continue
			}
			got := tx.Bucket([]byte(want.bucket)).Get([]byte(want.key))
			if got == nil {
				continue
			}
			equal(t, "fields of "+want.bucket, fields(t, got), fields(t, []byte(want.value)))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// fields gives the names of a JSON object's fields.
func fields(t *testing.T, b []byte) []string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, n := range []string{"project", "attempts", "job", "id", "number", "lease", "secretHash", "created", "ended", "exit"} {
		if _, ok := m[n]; ok {
			names = append(names, n)
			delete(m, n)
		}
	}
	if len(m) > 0 {
		t.Errorf("unknown fields: %v", m)
	}
	return names
}
