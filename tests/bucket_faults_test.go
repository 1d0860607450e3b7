package tests

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mountTmpfs puts a small file system of its own over a folder, or skips by
// name where that is not permitted.
func mountTmpfs(t *testing.T, dir, size string) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o700))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=0700,size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a tmpfs cannot be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("unmount %s: %v %s", dir, err, out)
		}
	})
}

func remount(t *testing.T, dir, mode string) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,"+mode, dir).CombinedOutput(); err != nil {
		t.Fatalf("remount %s: %v %s", dir, err, out)
	}
}

// keepPredicting asks a deployed version again and again until the test ends,
// and fails the test if it was ever not answered.
func (d *daemon) keepPredicting(t *testing.T, model string) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan string, 1)
	answered := 0
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		api := d.bucketAPI("")
		for {
			a, err := api.do("POST", "/v1/projects/hearth/models/"+model+":predict", nil, []byte(`{"instances": [1.0]}`))
			if err != nil || a.status != http.StatusOK {
				done <- fmt.Sprintf("%v, %v", a, err)
				return
			}
			answered++
			select {
			case <-tick.C:
			case <-stop:
				done <- ""
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		if failure := <-done; failure != "" || answered == 0 {
			t.Errorf("a prediction after %d answered ones: %s", answered, failure)
		}
	})
}

// faulty starts a daemon whose bucket is on a file system of size that can be
// broken, with a version that is asked all the while, and gives its folder.
func faulty(t *testing.T, b *backend, size string) (*daemon, *bucketAPI, string) {
	t.Helper()
	var dir string
	if b.server != nil {
		dir = b.server.dir
		b.server.kill()
		mountTmpfs(t, dir, size)
		b.server.start()
		t.Cleanup(b.server.kill) // before the file system goes
	}
	d := prepareDaemonOn(t, b)
	if b.server == nil {
		dir = filepath.Join(d.data, "objects")
		mountTmpfs(t, dir, size)
		t.Cleanup(d.cleanup)
	}
	d.start()
	d.waitReady()
	d.model("half", "half_plus_two")
	d.keepPredicting(t, "half")
	d.must("storage", "buckets", "create", "gs://faults")
	return d, d.bucketAPI("faults"), dir
}

// want checks a status and what the message says.
func (a *answer) want(err error, status int, texts ...string) error {
	if err != nil {
		return err
	}
	for _, text := range texts {
		if !strings.Contains(string(a.body), text) {
			return fmt.Errorf("got %v, want %d and %q", a, status, text)
		}
	}
	if a.status != status {
		return fmt.Errorf("got %v, want %d", a, status)
	}
	return nil
}

func randomContent(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b) // never fails
	return b
}

// fill writes until it is refused, and gives how many objects it wrote. MinIO
// does not always know why its disk refuses: it may say so at a later try.
func fill(t *testing.T, api *bucketAPI, content []byte) int {
	t.Helper()
	for i, tries := 0, 0; i < 1000; {
		a, err := api.put(fmt.Sprintf("fill/%d", i), nil, content, "x/y")
		check(t, err)
		switch {
		case a.status == http.StatusOK:
			i++
		case a.status == http.StatusServiceUnavailable && strings.Contains(string(a.body), "may be full") && tries < 20:
			tries++
		default:
			check(t, a.want(err, http.StatusForbidden, "full"))
			return i
		}
	}
	t.Fatal("the disk does not fill up")
	return 0
}

// awaitRoom writes the object after, as soon as there is room: MinIO frees what
// was deleted a little later.
func awaitRoom(t *testing.T, api *bucketAPI, content []byte) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		a, err := api.put("after", nil, content, "x/y")
		if err = a.want(err, http.StatusOK); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after the deletes: %v", err)
		}
	}
}

func TestFaults_FullDisk(t *testing.T) {
	onBackends(t, func(t *testing.T, b *backend) {
		b.reserve = "4MiB"
		size := "24m"
		if b.server != nil {
			size = "96m" // MinIO keeps some for itself
		}
		d, api, _ := faulty(t, b, size)
		content := randomContent(1 << 20)
		a, err := api.put("kept", nil, content, "x/y")
		check(t, a.want(err, http.StatusOK))
		uri := d.upload(trainer(t, `
import tensorflow as tf
try:
    with tf.io.gfile.GFile("gs://faults/from-a-job", "wb") as f:
        f.write(b"x" * (5 << 20))
except tf.errors.OpError as e:
    print("refused:", e)
`), "full")
		n := fill(t, api, content)
		if n < 3 {
			t.Errorf("only %d objects fit", n)
		}
		a, err = api.do("GET", api.object("kept"), url.Values{"alt": {"media"}}, nil)
		check(t, a.want(err, http.StatusOK))
		if !bytes.Equal(a.body, content) {
			t.Error("an object differs once the disk is full")
		}
		if b.server == nil {
			if status, got := d.submitRaw("full_1", uri, "2.21"); status != 200 {
				t.Fatalf("submit: %d %v", status, got)
			}
			if out := d.must("jobs", "stream-logs", "full_1"); !strings.Contains(out, "refused:") || !strings.Contains(out, "full") {
				t.Errorf("the job's log does not say that the disk is full:\n%s", out)
			}
		}
		for i := range n {
			a, err := api.do("DELETE", api.object(fmt.Sprintf("fill/%d", i)), nil, nil)
			check(t, a.want(err, http.StatusNoContent))
		}
		awaitRoom(t, api, content)
		items, _, err := api.list(nil)
		check(t, err)
		if len(items) != 2 {
			t.Errorf("%d objects are listed, want kept and after", len(items))
		}
	})
}

// With nothing in reserve, the disk itself says no.
func TestFaults_FullDiskWithoutReserve(t *testing.T) {
	b := &backend{name: "local"}
	_, api, _ := faulty(t, b, "16m")
	content := randomContent(1 << 20)
	n := fill(t, api, content)
	for i := 0; ; i++ { // and then the last bytes of it
		a, err := api.put(fmt.Sprintf("rest/%d", i), nil, content[:4096], "x/y")
		check(t, err)
		if a.status != http.StatusOK {
			check(t, a.want(err, http.StatusForbidden, "full"))
			break
		}
	}
	a, err := api.do("GET", api.object("fill/0"), url.Values{"alt": {"media"}}, nil)
	check(t, a.want(err, http.StatusOK))
	for i := range n {
		a, err := api.do("DELETE", api.object(fmt.Sprintf("fill/%d", i)), nil, nil)
		check(t, a.want(err, http.StatusNoContent))
	}
	awaitRoom(t, api, content)
}

func TestFaults_ReadOnlyDisk(t *testing.T) {
	t.Run("local", func(t *testing.T) {
		d := prepareDaemon(t)
		dir := filepath.Join(d.data, "objects")
		mountTmpfs(t, dir, "16m")
		remount(t, dir, "ro")
		d.start()
		d.waitEnd()
		if log := d.log.String(); !strings.Contains(log, "is read-only") {
			t.Errorf("the daemon does not say what is wrong:\n%s", log)
		}
		remount(t, dir, "rw")
		d.restart()
		d.must("storage", "buckets", "create", "gs://faults")
		t.Cleanup(d.cleanup) // before the file system goes
	})
	t.Run("minio", func(t *testing.T) {
		b := &backend{name: "minio", server: newMinIO(t)}
		_, api, dir := faulty(t, b, "64m")
		a, err := api.put("kept", nil, []byte("kept"), "x/y")
		check(t, a.want(err, http.StatusOK))
		remount(t, dir, "ro")
		a, err = api.put("new", nil, []byte("new"), "x/y")
		check(t, a.want(err, http.StatusConflict, "cannot write to its disk"))
		remount(t, dir, "rw")
		a, err = api.put("new", nil, []byte("new"), "x/y")
		check(t, a.want(err, http.StatusOK))
		a, err = api.do("GET", api.object("kept"), url.Values{"alt": {"media"}}, nil)
		check(t, a.want(err, http.StatusOK, "kept"))
	})
}

// gate is a body that stops half way until it is opened.
type gate struct {
	first, rest io.Reader
	reached     chan struct{}
	open        chan struct{}
	once        bool
}

func newGate(content []byte) *gate {
	half := len(content) / 2
	return &gate{first: bytes.NewReader(content[:half]), rest: bytes.NewReader(content[half:]), reached: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) Read(p []byte) (int, error) {
	if n, err := g.first.Read(p); err == nil {
		return n, nil
	}
	if !g.once {
		g.once = true
		close(g.reached)
	}
	<-g.open
	return g.rest.Read(p)
}

// MinIO goes away in the middle of an upload and of a download, and comes back.
func TestFaults_MinIOKilled(t *testing.T) {
	b := &backend{name: "minio", server: newMinIO(t)}
	d := newDaemonOn(t, b)
	d.model("half", "half_plus_two")
	d.keepPredicting(t, "half")
	d.must("storage", "buckets", "create", "gs://faults")
	api := d.bucketAPI("faults")
	content := randomContent(48 << 20)
	a, err := api.put("kept", nil, content, "x/y")
	check(t, a.want(err, http.StatusOK))
	session := beginUpload(t, api, "pieces", content[:1<<20])

	download, err := http.NewRequest("GET", api.base+api.object("kept")+"?alt=media", nil)
	check(t, err)
	download.Header.Set("Authorization", "Bearer "+api.token)
	res, err := api.client.Do(download)
	check(t, err)
	defer res.Body.Close()
	begun := make([]byte, 1<<20)
	_, err = io.ReadFull(res.Body, begun)
	check(t, err)
	body := newGate(content)
	upload, err := http.NewRequest("POST", api.base+api.uploads()+"?uploadType=media&name=cut", body)
	check(t, err)
	upload.Header.Set("Authorization", "Bearer "+api.token)
	answers := make(chan error, 1)
	go func() { answers <- unavailable(api.client.Do(upload)) }()
	<-body.reached
	b.server.kill()
	close(body.open)
	if err := <-answers; err != nil {
		t.Errorf("an upload without its server: %v", err)
	}
	rest, err := io.ReadAll(res.Body)
	if got := append(begun, rest...); err == nil && !bytes.Equal(got, content) || !bytes.HasPrefix(content, got) {
		t.Errorf("a download without its server gave %d bytes, %v: that must show", len(got), err)
	}
	for what, ask := range map[string]func() (*answer, error){
		"get":  func() (*answer, error) { return api.do("GET", api.object("kept"), url.Values{"alt": {"media"}}, nil) },
		"put":  func() (*answer, error) { return api.put("new", nil, []byte("new"), "x/y") },
		"list": func() (*answer, error) { return api.do("GET", api.objects(), nil, nil) },
	} {
		a, err := ask()
		if err := a.want(err, http.StatusServiceUnavailable, "does not answer"); err != nil {
			t.Errorf("%s without its server: %v", what, err)
		}
	}

	b.server.start()
	a, err = api.do("GET", api.object("kept"), url.Values{"alt": {"media"}}, nil)
	check(t, a.want(err, http.StatusOK))
	if !bytes.Equal(a.body, content) {
		t.Error("an object has changed")
	}
	a, err = api.do("GET", api.object("cut"), nil, nil)
	check(t, a.want(err, http.StatusNotFound))
	a, err = api.piece(session, content[:1<<20], 256<<10, 1<<20)
	check(t, a.want(err, http.StatusOK))
	a, err = api.do("GET", api.object("pieces"), url.Values{"alt": {"media"}}, nil)
	check(t, a.want(err, http.StatusOK))
	if !bytes.Equal(a.body, content[:1<<20]) {
		t.Error("an upload that went on is not what was sent")
	}
	items, _, err := api.list(nil)
	check(t, err)
	if len(items) != 2 {
		t.Errorf("%d objects are listed, want kept and pieces", len(items))
	}
}

// unavailable wants the answer 503 with its reason.
func unavailable(res *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	return (&answer{res.StatusCode, res.Header, b}).want(nil, http.StatusServiceUnavailable, "does not answer")
}

// beginUpload begins an upload in pieces and sends the first of them.
func beginUpload(t *testing.T, api *bucketAPI, name string, content []byte) (session string) {
	t.Helper()
	a, err := api.begin(name, nil, "x/y")
	check(t, a.want(err, http.StatusOK))
	session = a.header.Get("Location")
	a, err = api.piece(session, content, 0, 256<<10)
	check(t, a.want(err, http.StatusPermanentRedirect))
	return session
}

func TestFaults_MinIONotThereAtStart(t *testing.T) {
	b := &backend{name: "minio", server: newMinIO(t)}
	d := prepareDaemonOn(t, b)
	b.server.kill()
	d.start()
	d.waitEnd()
	if log := d.log.String(); !strings.Contains(log, b.server.endpoint()) || !strings.Contains(log, "does not answer") {
		t.Errorf("the daemon does not say that %s is not there:\n%s", b.server.endpoint(), log)
	}
	b.server.start()
	d.restart()
	d.must("storage", "buckets", "create", "gs://faults")
}
