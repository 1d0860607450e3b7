package tests

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

var ctxBackground = context.Background()

// tensorflowLoop reads commands and answers each with the seconds that it took:
// 1 GiB of TFRecords of 100 KB, written or read.
const tensorflowLoop = `
import os, sys, time
import tensorflow as tf
root, files, records, record = sys.argv[1], 8, 1342, os.urandom(100_000)
names = ["%s/records-%d" % (root, i) for i in range(files)]
print("ready", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    if line.strip() == "write":
        for name in names:
            with tf.io.TFRecordWriter(name) as w:
                for _ in range(records):
                    w.write(record)
    else:
        n = sum(1 for _ in tf.data.TFRecordDataset(names))
        assert n == files * records, n
    print(time.perf_counter() - began, flush=True)
`

// tensorflowUser is a TensorFlow that waits for commands.
type tensorflowUser struct {
	b   *testing.B
	in  io.Writer
	out *bufio.Reader
}

func startTensorFlow(b *testing.B, root string, env []string) *tensorflowUser {
	b.Helper()
	cmd := exec.Command(filepath.Join(fromEnv(b, "HEARTH_TEST_RUNTIMES"), "2.21", "bin", "python"), "-c", tensorflowLoop, root)
	cmd.Env = append(append(os.Environ(), "TF_CPP_MIN_LOG_LEVEL=3"), env...)
	in, err := cmd.StdinPipe()
	check(b, err)
	out, err := cmd.StdoutPipe()
	check(b, err)
	check(b, cmd.Start())
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	u := &tensorflowUser{b, in, bufio.NewReader(out)}
	if line, err := u.out.ReadString('\n'); err != nil || line != "ready\n" {
		b.Fatalf("TensorFlow does not start: %q, %v", line, err)
	}
	return u
}

func (u *tensorflowUser) do(command string) time.Duration {
	u.b.Helper()
	fmt.Fprintln(u.in, command)
	line, err := u.out.ReadString('\n')
	check(u.b, err)
	seconds, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	check(u.b, err)
	return time.Duration(seconds * float64(time.Second))
}

// environment gives what `hearth exec` gives a program.
func (d *daemon) environment() []string {
	d.t.Helper()
	out, err := d.script(`hearth exec -- env`)
	check(d.t, err)
	var env []string
	for line := range strings.Lines(out) {
		if name, _, ok := strings.Cut(line, "="); ok && (strings.HasSuffix(name, "_proxy") || strings.HasPrefix(name, "CURL_") || strings.HasPrefix(name, "GCE_")) {
			env = append(env, strings.TrimSpace(line))
		}
	}
	return env
}

// BenchmarkTensorFlow_GiB writes and reads 1 GiB with TensorFlow's own gs:// file
// system, beside the same through the barest server on the same store, and on
// plain files. What the project wants is a ratio of at least 0.85.
func BenchmarkTensorFlow_GiB(b *testing.B) {
	b.Run("local", func(b *testing.B) {
		d := newDaemon(b, "[storage]\nreserve = \"0\"")
		compareTensorFlow(b, d, "files "+b.TempDir(), true)
	})
	b.Run("minio", func(b *testing.B) {
		m := newMinIO(b)
		d := newDaemon(b, (&backend{name: "minio", server: m}).config())
		compareTensorFlow(b, d, fmt.Sprintf("s3 %s %s %s", m.endpoint(), m.accessKey, m.secretKey), false)
	})
}

func compareTensorFlow(b *testing.B, d *daemon, floor string, files bool) {
	d.must("storage", "buckets", "create", "gs://bench")
	who := map[string]*tensorflowUser{
		"hearth": startTensorFlow(b, "gs://bench", d.environment()),
		"floor":  startTensorFlow(b, "gs://bench", startFloor(b, floor)),
	}
	order := []string{"hearth", "floor"}
	if files {
		who["files"] = startTensorFlow(b, b.TempDir(), nil)
		order = append(order, "files")
	}
	for range b.N {
		times := map[string][]time.Duration{}
		for range 5 {
			for _, command := range []string{"write", "read"} {
				for _, name := range order {
					times[name+" "+command] = append(times[name+" "+command], who[name].do(command))
				}
			}
		}
		for _, command := range []string{"write", "read"} {
			for _, name := range order {
				b.ReportMetric(1024/median(times[name+" "+command]).Seconds(), name+"-"+command+"-MiB/s")
			}
			ours := float64(median(times["hearth "+command]))
			b.ReportMetric(float64(median(times["floor "+command]))/ours, command+"-ratio-to-floor")
			if files {
				b.ReportMetric(float64(median(times["files "+command]))/ours, command+"-ratio-to-files")
			}
		}
	}
}

// BenchmarkSmallObjects puts and gets objects of 4 KiB from 16 clients over plain
// HTTP, beside the same by minio-go on a MinIO server.
func BenchmarkSmallObjects(b *testing.B) {
	m := newMinIO(b)
	d := newDaemon(b, "[storage]\nreserve = \"0\"")
	d.must("storage", "buckets", "create", "gs://bench")
	s3, err := newFloorS3(m.endpoint(), m.accessKey, m.secretKey)
	check(b, err)
	content := bytes.Repeat([]byte("data"), 1024)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	ask := func(method, path string, body []byte) error {
		req, err := http.NewRequest(method, "http://"+d.addr+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+d.token)
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %v", res.Status, err)
		}
		return nil
	}
	calls := map[string]func(i int64) error{
		"hearth-put": func(i int64) error {
			return ask("POST", fmt.Sprintf("/upload/storage/v1/b/bench/o?uploadType=media&name=f/%d", i), content)
		},
		"minio-put": func(i int64) error {
			_, err := s3.core.PutObject(ctxBackground, "floor", fmt.Sprintf("f/%d", i), bytes.NewReader(content), int64(len(content)), "", "", minio.PutObjectOptions{})
			return err
		},
		"hearth-get": func(i int64) error { return ask("GET", fmt.Sprintf("/bench/f/%d", i%100+1), nil) },
		"minio-get": func(i int64) error {
			rc, _, _, err := s3.core.GetObject(ctxBackground, "floor", fmt.Sprintf("f/%d", i%100+1), minio.GetObjectOptions{})
			if err != nil {
				return err
			}
			defer rc.Close()
			_, err = io.Copy(io.Discard, rc)
			return err
		},
	}
	for range b.N {
		rates := map[string][]time.Duration{}
		for range 5 {
			for _, name := range []string{"hearth-put", "minio-put", "hearth-get", "minio-get"} {
				rates[name] = append(rates[name], perCall(b, 16, calls[name]))
			}
		}
		for name, r := range rates {
			b.ReportMetric(float64(time.Second)/float64(median(r)), name+"/s")
		}
		b.ReportMetric(float64(median(rates["minio-put"]))/float64(median(rates["hearth-put"])), "put-ratio-to-minio")
		b.ReportMetric(float64(median(rates["minio-get"]))/float64(median(rates["hearth-get"])), "get-ratio-to-minio")
	}
}

// perCall has some clients call for two seconds and gives the time between two
// answers.
func perCall(b *testing.B, clients int, call func(i int64) error) time.Duration {
	const duration = 2 * time.Second
	var n atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			for time.Since(began) < duration {
				if err := call(n.Add(1)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began) / time.Duration(n.Load())
}

// BenchmarkBucket_Memory sends an object of 4 GiB through the daemon and back and
// shows how much memory that took at most.
func BenchmarkBucket_Memory(b *testing.B) {
	measure := func(b *testing.B, config string) {
		d := newDaemon(b, config)
		d.must("storage", "buckets", "create", "gs://bench")
		const size = 4 << 30
		for range b.N {
			idle := d.peakMemory()
			req, err := http.NewRequest("POST", "http://"+d.addr+"/upload/storage/v1/b/bench/o?uploadType=media&name=big", io.LimitReader(zeros{}, size))
			check(b, err)
			req.Header.Set("Authorization", "Bearer "+d.token)
			began := time.Now()
			res, err := http.DefaultClient.Do(req)
			check(b, err)
			res.Body.Close()
			b.ReportMetric(size>>20/time.Since(began).Seconds(), "up-MiB/s")
			began = time.Now()
			req, err = http.NewRequest("GET", "http://"+d.addr+"/bench/big", nil)
			check(b, err)
			req.Header.Set("Authorization", "Bearer "+d.token)
			res, err = http.DefaultClient.Do(req)
			check(b, err)
			n, err := io.Copy(io.Discard, res.Body)
			check(b, err)
			res.Body.Close()
			if n != size {
				b.Fatalf("%d bytes came back", n)
			}
			b.ReportMetric(size>>20/time.Since(began).Seconds(), "down-MiB/s")
			b.ReportMetric(idle, "before-MiB")
			b.ReportMetric(d.peakMemory(), "peak-MiB")
		}
	}
	b.Run("local", func(b *testing.B) { measure(b, "[storage]\nreserve = \"0\"") })
	b.Run("minio", func(b *testing.B) { measure(b, (&backend{name: "minio", server: newMinIO(b)}).config()) })
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// peakMemory is the most resident memory that the daemon has had, in MiB.
func (d *daemon) peakMemory() float64 {
	d.t.Helper()
	return float64(statusOf(d.t, d.cmd.Process.Pid, "VmHWM:")) / 1024
}

var nextPage = regexp.MustCompile(`"nextPageToken":"([^"]*)"|$`)

// BenchmarkBucket_List lists 100,000 objects over HTTP, which is to take 2 s at
// most.
func BenchmarkBucket_List(b *testing.B) {
	d := newDaemon(b, "[storage]\nreserve = \"0\"")
	d.must("storage", "buckets", "create", "gs://bench")
	const objects = 100_000
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := n.Add(1); i <= objects; i = n.Add(1) {
				if status, _ := d.raw("POST", fmt.Sprintf("/upload/storage/v1/b/bench/o?uploadType=media&name=run/%03d/checkpoint-%06d", i/1000, i), ""); status != 200 {
					b.Errorf("answered %d", status)
					return
				}
			}
		})
	}
	wg.Wait()
	// What a client makes of the JSON is its own affair: names are counted here.
	list := func(fields string) int {
		seen, token := 0, ""
		for {
			status, page := d.raw("GET", "/storage/v1/b/bench/o?"+fields+"&pageToken="+token, "")
			seen += bytes.Count(page, []byte(`"name":`))
			if token = string(nextPage.FindSubmatch(page)[1]); status != 200 || token == "" {
				return seen
			}
		}
	}
	for range b.N {
		for name, fields := range map[string]string{"whole": "", "names": "fields=items/name,nextPageToken"} {
			took := medianOf(5, func() {
				if got := list(fields); got != objects {
					b.Fatalf("%d objects", got)
				}
			})
			b.ReportMetric(took.Seconds(), name+"-s")
		}
	}
}
