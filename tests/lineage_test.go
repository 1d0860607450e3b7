package tests

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lineage gives what a job has read and written, as BUCKET/NAME#GENERATION:BYTES.
func (d *daemon) lineage(job string) (reads, writes []string) {
	d.t.Helper()
	status, got := d.call("GET", "/hearth/v1/projects/hearth/jobs/"+job+"/lineage", "")
	if status != 200 {
		d.t.Fatalf("lineage of %s: %d %v", job, status, got)
	}
	text := func(list any) (all []string) {
		for _, o := range list.([]any) {
			o := o.(map[string]any)
			all = append(all, fmt.Sprintf("%s/%s#%s:%s", o["bucket"], o["name"], o["generation"], o["bytes"]))
		}
		return all
	}
	return text(got["reads"]), text(got["writes"])
}

// object gives BUCKET/NAME#GENERATION:SIZE of an object.
func (d *daemon) object(bucket, name string) string {
	d.t.Helper()
	status, o := d.call("GET", "/storage/v1/b/"+bucket+"/o/"+url.PathEscape(name), "")
	if status != 200 {
		d.t.Fatalf("%s/%s: %d %v", bucket, name, status, o)
	}
	return fmt.Sprintf("%s/%s#%s:%s", bucket, name, o["generation"], o["size"])
}

// A trainer that knows nothing of it reads and writes through TensorFlow, and
// the daemon is killed in between.
func TestLineage_OfATrainer(t *testing.T) {
	d := newDaemon(t)
	d.must("storage", "buckets", "create", "gs://data")
	d.put("gs://data/in/a", strings.Repeat("a", 1000))
	d.put("gs://data/in/b", strings.Repeat("b", 50))
	uri := d.upload(trainer(t, `
import os, sys, time
import tensorflow as tf
marks = sys.argv[1]
def copy(source, target):
    with tf.io.gfile.GFile(source, "rb") as f, tf.io.gfile.GFile(target, "wb") as g:
        g.write(f.read())
copy("gs://data/in/a", "gs://data/out/a")
open(os.path.join(marks, "copied"), "w").write("once\n")
while not os.path.exists(os.path.join(marks, "go on")):
    time.sleep(0.01)
copy("gs://data/in/b", "gs://data/out/b")
`), "copier")
	marks := t.TempDir()
	if status, got := d.submitRaw("copier_1", uri, "2.21", marks); status != 200 {
		t.Fatalf("submit: %d %v", status, got)
	}
	awaitLines(t, filepath.Join(marks, "copied"), 1)
	d.kill()
	d.restart()
	check(t, os.WriteFile(filepath.Join(marks, "go on"), nil, 0o600))
	if job := d.wait("copier_1"); job["state"] != "SUCCEEDED" {
		t.Fatalf("the job: %v\n%s", job, d.must("jobs", "stream-logs", "copier_1"))
	}
	reads, writes := d.lineage("copier_1")
	// What was read before the kill may lack the bytes of its last second.
	inA, _, _ := strings.Cut(d.object("data", "in/a"), ":")
	if len(reads) != 2 || !strings.HasPrefix(reads[0], inA+":") || reads[1] != d.object("data", "in/b") {
		t.Errorf("reads %q, want those of %s and %s", reads, inA, d.object("data", "in/b"))
	}
	if want := []string{d.object("data", "out/a"), d.object("data", "out/b")}; fmt.Sprint(writes) != fmt.Sprint(want) {
		t.Errorf("writes %q, want %q", writes, want)
	}
	if status, _ := d.call("GET", "/hearth/v1/projects/hearth/jobs/nobody/lineage", ""); status != 404 {
		t.Errorf("the lineage of a job that does not exist answers %d, want 404", status)
	}
}

// askAs asks for the bucket "data" through the proxy with a job's credentials.
func askAs(t *testing.T, proxy string) (status int, err error) {
	t.Helper()
	u, err := url.Parse(proxy)
	check(t, err)
	transport := &http.Transport{Proxy: http.ProxyURL(u), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get("https://storage.googleapis.com/storage/v1/b/data")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	return res.StatusCode, nil
}

// A job's password is good as long as the job runs and no longer, and its
// lineage is for the owner.
func TestAccess_JobsPasswordEndsWithTheJob(t *testing.T) {
	d := newDaemon(t)
	d.must("storage", "buckets", "create", "gs://data")
	uri := d.upload(trainer(t, `
import os, sys, time
marks = sys.argv[1]
with open(os.path.join(marks, "new"), "w") as f:
    f.write(os.environ["https_proxy"] + "\n")
os.rename(os.path.join(marks, "new"), os.path.join(marks, "proxy"))
while not os.path.exists(os.path.join(marks, "end")):
    time.sleep(0.01)
`), "shower")
	marks := t.TempDir()
	d.submit("shower_1", uri, marks)
	proxy := awaitLines(t, filepath.Join(marks, "proxy"), 1)[0]
	if status, err := askAs(t, proxy); status != 200 {
		t.Errorf("while the job runs the bucket answers %d, %v", status, err)
	}
	wrong := strings.Replace(proxy, "shower_1:", "shower_2:", 1)
	if _, err := askAs(t, wrong); err == nil {
		t.Error("the password of one job opens the bucket to another")
	}
	check(t, os.WriteFile(filepath.Join(marks, "end"), nil, 0o600))
	d.wait("shower_1")
	if status, err := askAs(t, proxy); err == nil {
		t.Errorf("after the job's end its password is still good: %d", status)
	}
}
