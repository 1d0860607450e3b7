package object

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/rs/zerolog"
)

// minioServer is a real MinIO server on a folder of its own.
type minioServer struct {
	t        testing.TB
	dir      string
	endpoint string
	user     string
	password string
	cmd      *exec.Cmd
}

// patience bounds every wait; it is never the measure of anything.
const patience = time.Minute

// startMinIO starts a server, or skips by name where there is no program.
func startMinIO(t testing.TB) *minioServer {
	t.Helper()
	program := os.Getenv("HEARTH_TEST_MINIO")
	if program == "" {
		t.Skip("HEARTH_TEST_MINIO is not set: run make test")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &minioServer{t: t, dir: filepath.Join(t.TempDir(), "minio"), endpoint: "http://" + l.Addr().String(), user: "hearth-test", password: rand.Text()}
	l.Close()
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start runs the server and waits until it answers.
func (s *minioServer) start() {
	s.t.Helper()
	s.cmd = exec.Command(os.Getenv("HEARTH_TEST_MINIO"), "server", "--quiet", "--address", s.endpoint[len("http://"):], s.dir)
	s.cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+s.user, "MINIO_ROOT_PASSWORD="+s.password, "MINIO_BROWSER=off", "CI=true")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		res, err := http.Get(s.endpoint + "/minio/health/cluster")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("MinIO does not answer: %v", err)
		}
	}
}

// kill ends the server as a power cut would, as far as a process goes.
func (s *minioServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *minioServer) options(dir string) MinIOOptions {
	return MinIOOptions{Dir: dir, Endpoint: s.endpoint, AccessKey: s.user, SecretKey: s.password, Log: zerolog.Nop()}
}

func (s *minioServer) open(t testing.TB, dir string) *MinIO {
	t.Helper()
	m, err := OpenMinIO(t.Context(), s.options(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// clear removes everything that is on the server.
func (m *MinIO) clear(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	buckets, err := m.s3.ListBuckets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range buckets {
		for o := range m.s3.Client.ListObjects(ctx, b.Name, minio.ListObjectsOptions{Recursive: true}) {
			if err := m.s3.RemoveObject(ctx, b.Name, o.Key, minio.RemoveObjectOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.s3.RemoveBucketWithOptions(ctx, b.Name, minio.RemoveBucketOptions{ForceDelete: true}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMinIO_Store(t *testing.T) {
	s := startMinIO(t)
	testStore(t, func(t *testing.T) Store {
		m := s.open(t, t.TempDir())
		t.Cleanup(func() { m.clear(t) })
		return m
	})
}
