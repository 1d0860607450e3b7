package metadata

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"

	"hearth/ml"
)

const submitters = 16

// Durable submits from 16 goroutines, beside the same number of bare puts of
// the same size through bbolt's Batch.
func BenchmarkSubmitJob(b *testing.B) {
	b.Run("Hearth", func(b *testing.B) {
		db := openTest(b)
		var n atomic.Int64
		b.SetParallelism(max(1, submitters/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := db.SubmitJob(project, trainingJob(fmt.Sprintf("job_%d", n.Add(1)))); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "submits/s")
	})
	b.Run("BarePut", func(b *testing.B) {
		db := must(bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, nil))(b)
		defer db.Close()
		db.MaxBatchDelay = submitDelay
		value := make([]byte, 400)
		var n atomic.Int64
		b.SetParallelism(max(1, submitters/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				err := db.Batch(func(tx *bbolt.Tx) error {
					bucket, err := tx.CreateBucketIfNotExists([]byte("jobs"))
					if err != nil {
						return err
					}
					return bucket.Put(number(uint64(n.Add(1))), value)
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "submits/s")
	})
}

// One submit at a time: what a person at a terminal waits for.
func BenchmarkSubmitJob_Alone(b *testing.B) {
	db := openTest(b)
	n := 0
	for b.Loop() {
		n++
		if _, err := db.SubmitJob(project, trainingJob(fmt.Sprintf("job_%d", n))); err != nil {
			b.Fatal(err)
		}
	}
}

// Reads in a store with 100,000 finished jobs and 20 unfinished ones.
func BenchmarkLargeStore(b *testing.B) {
	db := openTest(b)
	const finished, unfinished = 100_000, 20
	err := db.update(func(t *tx) error {
		for i := range finished + unfinished {
			job := trainingJob(fmt.Sprintf("job_%d", i))
			if _, err := t.submit(project, *job); err != nil {
				return err
			}
			if i >= finished {
				continue
			}
			r, err := t.job(project, job.JobID)
			if err != nil {
				return err
			}
			r.Job.State, r.Job.EndTime = ml.JobFailed, t.now
			if err := t.putJob(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Jobs", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := db.Jobs(project, 100, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("UnfinishedJobs", func(b *testing.B) {
		for b.Loop() {
			if n := len(must(db.UnfinishedJobs())(b)); n != unfinished {
				b.Fatal(n)
			}
		}
	})
	b.Run("Job", func(b *testing.B) {
		for b.Loop() {
			must(db.Job(project, "job_100010"))(b)
		}
	})
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			db.reopen()
		}
	})
}
