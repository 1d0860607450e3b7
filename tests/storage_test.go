package tests

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// interrupter stands between the command line and the daemon. It presses
// Ctrl-C when the nth request of a kind comes, which then gets no answer.
type interrupter struct {
	*httptest.Server
	// at is n; 0 lets all through.
	at   atomic.Int64
	seen atomic.Int64
	cmd  chan *exec.Cmd
}

func newInterrupter(t *testing.T, d *daemon, kind func(r *http.Request) bool) *interrupter {
	t.Helper()
	target, err := url.Parse("http://" + d.addr)
	check(t, err)
	// The Host stays, so that upload sessions lead here again.
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}
	i := &interrupter{cmd: make(chan *exec.Cmd, 1)}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind(r) && i.seen.Add(1) == i.at.Load() {
			if err := (<-i.cmd).Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
			// Only behind the body is it noticed that the client is gone.
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

// run runs the command line against the daemon behind the interrupter, and gives
// its status and how many requests of the kind came. It interrupts at the given
// one.
func (i *interrupter) run(t *testing.T, d *daemon, at int64, args ...string) (status int, seen int64) {
	t.Helper()
	i.seen.Store(0)
	i.at.Store(at)
	cmd := exec.Command(binary(t), args...)
	cmd.Env = append(d.env(), "HEARTH_ENDPOINT="+i.URL)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	check(t, cmd.Start())
	if at > 0 {
		i.cmd <- cmd
	}
	if err := cmd.Wait(); err != nil {
		t.Logf("%v: %v: %s", args, err, &out)
	}
	return cmd.ProcessState.ExitCode(), i.seen.Load()
}

// Ctrl-C in the middle of a copy leaves nothing half, and the same command goes
// on where it was.
func TestStorage_InterruptedCopyGoesOn(t *testing.T) {
	onBackends(t, func(t *testing.T, b *backend) {
		d := newDaemonOn(t, b)
		d.must("storage", "buckets", "create", "gs://resume")
		dir := t.TempDir()
		content := make([]byte, 160<<20) // three pieces of an upload, ten slices of a download
		_, err := rand.Read(content)
		check(t, err)
		big, back := filepath.Join(dir, "big"), filepath.Join(dir, "back")
		check(t, os.WriteFile(big, content, 0o600))

		up := newInterrupter(t, d, func(r *http.Request) bool { return r.Method == http.MethodPut && r.ContentLength > 0 })
		upload := []string{"storage", "cp", "--parallel", "1", big, "gs://resume/big"}
		if status, _ := up.run(t, d, 2, upload...); status != 130 {
			t.Fatalf("the interrupted upload ended with %d", status)
		}
		if _, err := d.hearth("storage", "ls", "gs://resume/big"); err == nil {
			t.Fatal("half an object is there")
		}
		if status, pieces := up.run(t, d, 0, upload...); status != 0 || pieces != 2 {
			t.Fatalf("going on ended with %d after %d pieces, want the 2 that were missing", status, pieces)
		}

		down := newInterrupter(t, d, func(r *http.Request) bool { return r.Header.Get("Range") != "" })
		download := []string{"storage", "cp", "--parallel", "1", "gs://resume/big", back}
		if status, _ := down.run(t, d, 5, download...); status != 130 {
			t.Fatalf("the interrupted download ended with %d", status)
		}
		if _, err := os.Stat(back); err == nil {
			t.Fatal("half a file is there")
		}
		if status, slices := down.run(t, d, 0, download...); status != 0 || slices != 6 {
			t.Fatalf("going on ended with %d after %d slices, want the 6 that were missing", status, slices)
		}
		sameFile(t, back, content)
	})
}

// A large file goes and comes in parts, of which nothing is left.
func TestStorage_LargeFileInParts(t *testing.T) {
	onBackends(t, func(t *testing.T, b *backend) {
		d := newDaemonOn(t, b)
		d.must("storage", "buckets", "create", "gs://parts")
		dir := t.TempDir()
		content := make([]byte, 160<<20+5)
		_, err := rand.Read(content)
		check(t, err)
		big, back := filepath.Join(dir, "big"), filepath.Join(dir, "back")
		check(t, os.WriteFile(big, content, 0o600))
		d.must("storage", "cp", "--parallel", "3", "--content-type", "text/x", big, "gs://parts/big")
		if names := d.must("storage", "ls", "-r", "gs://parts"); names != "gs://parts/big\n" {
			t.Errorf("left %s", names)
		}
		if facts := d.must("storage", "objects", "describe", "gs://parts/big"); !strings.Contains(facts, "componentCount: 6") || !strings.Contains(facts, "contentType: text/x") {
			t.Errorf("the object is\n%s", facts)
		}
		d.must("storage", "cp", "gs://parts/big", back)
		sameFile(t, back, content)
	})
}

func sameFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what it was", path)
	}
}
