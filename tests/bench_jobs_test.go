package tests

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth/ml"
	"hearth/storage/metadata"
)

// blocked starts a daemon whose only processor is taken by a job that waits.
func blocked(b *testing.B) (d *daemon, uri string) {
	d = newDaemon(b, "cpus = 1")
	uri = d.upload(trainer(b, "import time\nprint('here', flush=True)\ntime.sleep(3600)\n"), "block")
	d.submit("block", uri)
	awaitLines(b, filepath.Join(d.data, "attempts", "hearth.block.1", "master-replica-0", "stdout.log"), 1)
	return d, uri
}

// BenchmarkJobs_Submit is how many durable submits 16 clients get through the
// API, beside synced appends of one writer to a file on the same disk.
func BenchmarkJobs_Submit(b *testing.B) {
	d, uri := blocked(b)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	for round := range b.N {
		var n, failed atomic.Int64
		var clients sync.WaitGroup
		const span = 4 * time.Second
		end := time.Now().Add(span)
		for c := range 16 {
			clients.Go(func() {
				for i := 0; time.Now().Before(end); i++ {
					if status := d.post(client, fmt.Sprintf("s_%d_%d_%d", round, c, i), uri); status != http.StatusOK {
						failed.Add(1)
					}
					n.Add(1)
				}
			})
		}
		clients.Wait()
		if failed.Load() > 0 {
			b.Fatalf("%d of %d submits failed", failed.Load(), n.Load())
		}
		syncs := syncedAppends(b)
		b.ReportMetric(float64(n.Load())/span.Seconds(), "submits/s")
		b.ReportMetric(syncs, "synced-appends/s")
		b.ReportMetric(float64(n.Load())/span.Seconds()/syncs, "ratio")
	}
}

// post submits a job and gives the status, 0 without an answer.
func (d *daemon) post(client *http.Client, job, uri string) int {
	body := fmt.Sprintf(`{"jobId":%q,"trainingInput":{"packageUris":[%q],"pythonModule":"trainer.task","region":"here","runtimeVersion":"test"}}`, job, uri)
	req, err := http.NewRequest(http.MethodPost, "http://"+d.addr+"/v1/projects/hearth/jobs", strings.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	res, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	var submitted ml.Job
	if decode(res.Body, &submitted) != nil {
		return 0
	}
	return res.StatusCode
}

// syncedAppends is how often a second one writer can append to a file and sync
// it.
func syncedAppends(b *testing.B) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "appends"))
	check(b, err)
	defer f.Close()
	began, n, record := time.Now(), 0, make([]byte, 512)
	for ; time.Since(began) < time.Second; n++ {
		_, err := f.Write(record)
		check(b, err)
		check(b, f.Sync())
	}
	return float64(n) / time.Since(began).Seconds()
}

// BenchmarkJobs_HundredThousand is a daemon with 100,000 jobs that wait: how
// long until it is ready again, beside one with a single job, and how long a
// page of its list and one job take.
func BenchmarkJobs_HundredThousand(b *testing.B) {
	d, uri := blocked(b)
	began := time.Now()
	d.kill()
	d.restart()
	few := time.Since(began)
	d.kill()
	fillQueue(b, filepath.Join(d.data, "hearth.db"), uri, 100_000)
	for range b.N {
		began := time.Now()
		d.restart()
		many := time.Since(began)
		page := medianOf(21, func() { d.raw("GET", "/v1/projects/hearth/jobs?pageSize=100", "") })
		one := medianOf(21, func() { d.raw("GET", "/v1/projects/hearth/jobs/many_99999", "") })
		queue := medianOf(5, func() { d.raw("GET", "/hearth/v1/queue", "") })
		b.ReportMetric(ms(many), "ready-ms")
		b.ReportMetric(ms(few), "ready-with-one-ms")
		b.ReportMetric(ms(page), "page-ms")
		b.ReportMetric(ms(one), "job-ms")
		b.ReportMetric(ms(queue), "queue-ms")
		d.kill()
	}
	d.restart()
}

// fillQueue puts jobs into the queue of a daemon that is not there.
func fillQueue(b *testing.B, path, uri string, n int) {
	b.Helper()
	db, err := metadata.Open(path)
	check(b, err)
	defer db.Close()
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 256 {
		clients.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				_, err := db.SubmitJob("hearth", &ml.Job{JobID: fmt.Sprintf("many_%d", i), TrainingInput: &ml.TrainingInput{
					ScaleTier: ml.TierBasic, PackageURIs: []string{uri}, PythonModule: "trainer.task", Region: "here", RuntimeVersion: "test",
					Args: []string{"--steps", "1000", "--rate", "0.01"}, JobDir: "gs://jobs/many",
				}})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
}
