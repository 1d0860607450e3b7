package tests

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// supervisedMinIO is the backend of a daemon that runs its own MinIO.
func supervisedMinIO(t testing.TB, listen string) *backend {
	t.Helper()
	return &backend{table: fmt.Sprintf("[storage]\nbackend = \"minio\"\n[storage.minio]\nrun = true\nbinary = %q\nlisten = %q\n",
		fromEnv(t, "HEARTH_TEST_MINIO"), listen)}
}

// minioPID gives the pid of the MinIO server of the data folder, 0 if none runs.
func (d *daemon) minioPID() int {
	for _, pid := range d.processes() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if program, _, _ := strings.Cut(string(cmdline), "\x00"); filepath.Base(program) == "minio" {
			return pid
		}
	}
	return 0
}

// bucketStatus gives what the status says of the bucket.
func (d *daemon) bucketStatus() map[string]any {
	d.t.Helper()
	_, status := d.call("GET", "/hearth/v1/status", "")
	return status["bucket"].(map[string]any)
}

// awaitBucket waits until the status says of the bucket what is wanted.
func (d *daemon) awaitBucket(what string, is func(bucket map[string]any) bool) {
	d.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(d.bucketStatus()); <-tick.C {
		if time.Now().After(deadline) {
			d.t.Fatalf("the bucket is not %s: %v", what, d.bucketStatus())
		}
	}
}

func answers(bucket map[string]any) bool { return bucket["error"] == nil }

func (d *daemon) put(uri, content string) {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "content")
	check(d.t, os.WriteFile(path, []byte(content), 0o600))
	d.must("storage", "cp", path, uri)
}

func (d *daemon) expectObject(uri, content string) {
	d.t.Helper()
	if got := d.must("storage", "cat", uri); got != content {
		d.t.Errorf("%s has %q, want %q", uri, got, content)
	}
}

func TestSupervisedMinIO_SurvivesKills(t *testing.T) {
	d := newDaemonOn(t, supervisedMinIO(t, freeAddress(t)))
	d.must("storage", "buckets", "create", "gs://data")
	d.put("gs://data/o", "before")

	first := d.minioPID()
	check(t, syscall.Kill(first, syscall.SIGKILL))
	d.awaitBucket("known to be away", func(b map[string]any) bool { return !answers(b) || b["restarts"] != nil })
	if status, _ := d.raw("GET", "/readyz", ""); status != 200 {
		t.Errorf("readyz answers %d while MinIO is away", status)
	}
	d.awaitBucket("back", func(b map[string]any) bool { return answers(b) && b["restarts"] == 1.0 })
	d.expectObject("gs://data/o", "before")
	second := d.minioPID()
	if second == 0 || second == first {
		t.Fatalf("MinIO has pid %d after %d was killed", second, first)
	}

	check(t, d.cmd.Process.Signal(syscall.SIGTERM))
	d.waitEnd()
	if got := d.minioPID(); got != second {
		t.Fatalf("MinIO has pid %d after SIGTERM to the daemon that started it again, had %d", got, second)
	}
	d.restart()
	d.expectObject("gs://data/o", "before")
	d.put("gs://data/o", "after")

	d.kill()
	d.restart()
	if got := d.minioPID(); got != second {
		t.Errorf("MinIO has pid %d after the daemon was killed, had %d", got, second)
	}
	d.expectObject("gs://data/o", "after")
	check(t, d.cmd.Process.Signal(syscall.SIGINT))
	d.waitEnd()
	if got := d.minioPID(); got != 0 {
		t.Errorf("MinIO with pid %d is left after SIGINT", got)
	}
}

// The credentials are in one file, which others cannot read, and nowhere else.
func TestSupervisedMinIO_KeepsItsCredentials(t *testing.T) {
	d := newDaemonOn(t, supervisedMinIO(t, freeAddress(t)))
	d.must("storage", "buckets", "create", "gs://data")
	file := filepath.Join(d.data, "minio.env")
	b, err := os.ReadFile(file)
	check(t, err)
	_, password, _ := strings.Cut(strings.TrimSpace(string(b)), "MINIO_ROOT_PASSWORD=")
	if len(password) < 32 {
		t.Fatalf("the password is %q", password)
	}
	info, err := os.Stat(file)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %s", file, info.Mode())
	}
	if strings.Contains(d.log.String(), password) {
		t.Error("the daemon's log shows the password")
	}
	for _, pid := range d.processes() {
		for _, name := range []string{"cmdline", "environ"} {
			if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name)); strings.Contains(string(b), password) {
				t.Errorf("%s of process %d shows the password", name, pid)
			}
		}
	}
	check(t, filepath.WalkDir(filepath.Join(d.data, "attempts"), func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), password) {
			t.Errorf("%s shows the password", path)
		}
		return err
	}))
}

// Another configuration is another server, and none if none is asked for.
func TestSupervisedMinIO_ConfigurationChanges(t *testing.T) {
	d := newDaemonOn(t, supervisedMinIO(t, freeAddress(t)))
	first := d.minioPID()
	d.must("storage", "buckets", "create", "gs://data")
	d.put("gs://data/o", "kept")
	config := filepath.Join(d.data, "hearth.toml")
	b, err := os.ReadFile(config)
	check(t, err)
	head, _, _ := strings.Cut(string(b), "[storage]")

	d.kill()
	elsewhere := freeAddress(t)
	check(t, os.WriteFile(config, []byte(head+supervisedMinIO(t, elsewhere).table), 0o600))
	d.restart()
	if got := d.minioPID(); got == first || got == 0 {
		t.Errorf("MinIO has pid %d, had %d with the old address", got, first)
	}
	if got := d.bucketStatus()["location"]; got != "http://"+elsewhere {
		t.Errorf("the bucket is at %v, want %s", got, elsewhere)
	}
	d.expectObject("gs://data/o", "kept")

	d.kill()
	check(t, os.WriteFile(config, []byte(head), 0o600))
	d.restart()
	if got := d.minioPID(); got != 0 {
		t.Errorf("MinIO with pid %d is left although the bucket is local", got)
	}
}

func TestSupervisedMinIO_CannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer taken.Close()
	quitter := filepath.Join(t.TempDir(), "quitter")
	check(t, os.WriteFile(quitter, []byte("#!/bin/sh\necho out of order >&2\nexit 3\n"), 0o700))
	const run = "[storage]\nbackend = \"minio\"\n[storage.minio]\nrun = true\n"
	for name, c := range map[string]struct {
		config string
		want   []string
	}{
		"no program":   {run + `binary = "no-such-minio"`, []string{"no-such-minio", "install MinIO", "run = false"}},
		"port taken":   {run + fmt.Sprintf("binary = \"sh\"\nlisten = %q", taken.Addr()), []string{taken.Addr().String(), "storage.minio.listen"}},
		"ends at once": {run + fmt.Sprintf("binary = %q\nlisten = %q", quitter, freeAddress(t)), []string{"status 3", "out of order"}},
		"unreachable": {
			"[storage]\nbackend = \"minio\"\n[storage.minio]\naccess_key = \"a\"\nsecret_key = \"sesame123\"\nendpoint = \"http://" + freeAddress(t) + "\"",
			[]string{"open the bucket", "http://127.0.0.1:"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := prepareDaemonOn(t, &backend{table: c.config + "\n"})
			d.cmd = nil // cleanup has nothing to end
			_, err := d.hearth("serve", "--config", filepath.Join(d.data, "hearth.toml"))
			if err == nil {
				t.Fatal("the daemon started")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "sesame123") {
				t.Errorf("the error shows the secret key: %v", err)
			}
		})
	}
}

// A daemon that cannot start for another reason leaves no server behind.
func TestSupervisedMinIO_EndsWithADaemonThatNeverRan(t *testing.T) {
	d := prepareDaemonOn(t, supervisedMinIO(t, freeAddress(t)))
	// What comes after the bucket fails: the key of the jobs cannot be read.
	check(t, os.Mkdir(filepath.Join(d.data, "jobs.key"), 0o700))
	if _, err := d.hearth("serve", "--config", filepath.Join(d.data, "hearth.toml")); err == nil || !strings.Contains(err.Error(), "jobs.key") {
		t.Fatalf("got %v", err)
	}
	if got := d.minioPID(); got != 0 {
		t.Errorf("MinIO with pid %d is left", got)
	}
}

// Versions that are served do not need the bucket: not while it is away, and
// not to be taken over.
func TestSupervisedMinIO_AwayDisturbsNoVersion(t *testing.T) {
	listen := freeAddress(t)
	d := newDaemonOn(t, supervisedMinIO(t, listen))
	d.model("half", "half_plus_two")
	worker := d.worker("half")
	config := filepath.Join(d.data, "hearth.toml")
	b, err := os.ReadFile(config)
	check(t, err)

	// The next MinIO cannot start: the daemon goes on without.
	broken := filepath.Join(t.TempDir(), "minio")
	check(t, os.Symlink(fromEnv(t, "HEARTH_TEST_MINIO"), broken))
	d.kill()
	check(t, os.WriteFile(config, []byte(strings.Replace(string(b), fmt.Sprintf("%q", fromEnv(t, "HEARTH_TEST_MINIO")), fmt.Sprintf("%q", broken), 1)), 0o600))
	d.restart()
	check(t, os.Remove(broken))
	check(t, syscall.Kill(d.minioPID(), syscall.SIGKILL))
	d.awaitBucket("away", func(b map[string]any) bool {
		return b["error"] != nil && strings.Contains(b["error"].(string), "install MinIO")
	})
	d.checkHalf("half")

	// A daemon without its bucket does not start, and unloads nothing.
	d.kill()
	if _, err := d.hearth("serve", "--config", config); err == nil {
		t.Fatal("the daemon started without its bucket")
	}
	check(t, os.WriteFile(config, b, 0o600))
	d.restart()
	d.checkHalf("half")
	if got := d.worker("half"); got != worker {
		t.Errorf("the version's worker has pid %d, had %d", got, worker)
	}
}
