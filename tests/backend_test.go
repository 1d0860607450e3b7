package tests

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// backend is a place in which a daemon of the tests keeps its bucket.
type backend struct {
	name string // local or minio
	// reserve is the key of that name; empty means nothing is reserved.
	reserve string
	// server is the MinIO server, if that is the backend.
	server *minIO
	// table, if not empty, is the whole table instead.
	table string
}

// onBackends runs a test once for each backend there is.
func onBackends(t *testing.T, test func(t *testing.T, b *backend)) {
	t.Helper()
	t.Run("local", func(t *testing.T) { test(t, &backend{name: "local"}) })
	t.Run("minio", func(t *testing.T) { test(t, &backend{name: "minio", server: newMinIO(t)}) })
}

// config is the table storage of the daemon's configuration.
func (b *backend) config() string {
	if b.table != "" {
		return b.table
	}
	reserve := b.reserve
	if reserve == "" {
		reserve = "0"
	}
	if b.server == nil {
		return fmt.Sprintf("[storage]\nreserve = %q\n", reserve)
	}
	return fmt.Sprintf("[storage]\nbackend = %q\nreserve = %q\n[storage.minio]\nendpoint = %q\naccess_key = %q\nsecret_key = %q\nrun = false\n",
		b.name, reserve, b.server.endpoint(), b.server.accessKey, b.server.secretKey)
}

// minIO is a real MinIO server on a data folder of its own.
type minIO struct {
	t                    testing.TB
	dir                  string
	addr                 string
	accessKey, secretKey string
	cmd                  *exec.Cmd
	log                  bytes.Buffer // of the running server; read once it has ended
}

// newMinIO starts a server, or skips by name where there is no program for it.
func newMinIO(t testing.TB) *minIO {
	t.Helper()
	m := prepareMinIO(t)
	m.start()
	return m
}

// prepareMinIO is newMinIO without the start.
func prepareMinIO(t testing.TB) *minIO {
	t.Helper()
	fromEnv(t, "HEARTH_TEST_MINIO")
	m := &minIO{t: t, dir: filepath.Join(t.TempDir(), "minio"), addr: freeAddress(t), accessKey: rand.Text(), secretKey: rand.Text()}
	check(t, os.Mkdir(m.dir, 0o700))
	t.Cleanup(func() {
		m.kill()
		if t.Failed() {
			t.Logf("MinIO's log:\n%s", &m.log)
		}
	})
	return m
}

func (m *minIO) endpoint() string { return "http://" + m.addr }

// start runs the server and waits until it answers.
func (m *minIO) start() {
	m.t.Helper()
	m.cmd = exec.Command(fromEnv(m.t, "HEARTH_TEST_MINIO"), "server", "--quiet", "--address", m.addr, m.dir)
	m.cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(m.dir), "MINIO_ROOT_USER="+m.accessKey, "MINIO_ROOT_PASSWORD="+m.secretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "https_proxy=", "http_proxy=")
	m.log.Reset()
	m.cmd.Stdout, m.cmd.Stderr = &m.log, &m.log
	check(m.t, m.cmd.Start())
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if res, err := http.Get(m.endpoint() + "/minio/health/live"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			m.kill()
			m.t.Fatalf("MinIO does not answer:\n%s", &m.log)
		}
	}
}

// kill ends the server, if it runs, as a power cut would, as far as a process
// goes.
func (m *minIO) kill() {
	m.t.Helper()
	if m.cmd == nil {
		return
	}
	check(m.t, m.cmd.Process.Kill())
	m.cmd.Wait() // says that it was killed
	m.cmd = nil
}
