package tests

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of an end-to-end test; it is never the measure of
// anything.
const patience = 3 * time.Minute

// daemon is a real `hearth serve` on a data folder of its own.
type daemon struct {
	t     testing.TB
	data  string
	addr  string
	token string
	cmd   *exec.Cmd
	ended chan error
	ready chan struct{}
	log   *lockedBuffer
}

// binary gives the built hearth, or skips by name.
func binary(t testing.TB) string {
	t.Helper()
	return fromEnv(t, "HEARTH_TEST_BINARY")
}

func fromEnv(t testing.TB, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Skipf("%s is not set: run make test", name)
	}
	if _, err := os.Stat(v); err != nil {
		t.Skipf("%s: %v: run make test", name, err)
	}
	return v
}

// newDaemon prepares a data folder whose runtimes are the installed one of the
// tests (2.21) and a plain Python without TensorFlow ("test"), and starts the
// daemon on it. extra lines go into the configuration, the first of them into
// its table scheduler.
func newDaemon(t testing.TB, extra ...string) *daemon {
	t.Helper()
	return newDaemonOn(t, &backend{name: "local"}, extra...)
}

// newDaemonOn is newDaemon with the bucket in a backend.
func newDaemonOn(t testing.TB, b *backend, extra ...string) *daemon {
	t.Helper()
	d := prepareDaemonOn(t, b, extra...)
	d.start()
	d.waitReady()
	return d
}

func prepareDaemon(t testing.TB, extra ...string) *daemon {
	t.Helper()
	return prepareDaemonOn(t, &backend{name: "local"}, extra...)
}

func prepareDaemonOn(t testing.TB, b *backend, extra ...string) *daemon {
	t.Helper()
	binary(t)
	runtimes := fromEnv(t, "HEARTH_TEST_RUNTIMES")
	d := &daemon{t: t, data: filepath.Join(t.TempDir(), "data"), addr: freeAddress(t)}
	check(t, os.MkdirAll(filepath.Join(d.data, "runtimes"), 0o700))
	check(t, os.Symlink(filepath.Join(runtimes, "2.21"), filepath.Join(d.data, "runtimes", "2.21")))
	check(t, os.Symlink(plainRuntime(t, runtimes), filepath.Join(d.data, "runtimes", "test")))
	d.configure(b, extra...)
	t.Cleanup(d.cleanup)
	return d
}

// configure writes the configuration with which the daemon starts next. If the
// extra lines have a table storage, that counts instead of the backend's.
func (d *daemon) configure(b *backend, extra ...string) {
	d.t.Helper()
	lines, storage := strings.Join(extra, "\n"), b.config()
	if strings.Contains(lines, "[storage]") {
		storage = ""
	}
	if !strings.Contains(lines, "[sandbox]") {
		// Trainers of tests leave their traces in the test's folders.
		lines += fmt.Sprintf("\n[sandbox]\nusers = \"\"\nwrite = [%q]\n", filepath.Dir(filepath.Dir(d.data)))
	}
	config := fmt.Sprintf("data = %q\n[listen]\naddress = %q\n%s[scheduler]\ngrace = \"1s\"\n%s\n", d.data, d.addr, storage, lines)
	check(d.t, os.WriteFile(filepath.Join(d.data, "hearth.toml"), []byte(config), 0o600))
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

// start runs the daemon; env entries are added to the test's own environment.
func (d *daemon) start(env ...string) {
	d.t.Helper()
	d.log, d.ended, d.ready = &lockedBuffer{}, make(chan error, 1), make(chan struct{})
	d.cmd = exec.Command(binary(d.t), "serve", "--config", filepath.Join(d.data, "hearth.toml"))
	d.cmd.Env = append(append(os.Environ(), "XDG_STATE_HOME="+d.state()), env...)
	stderr, err := d.cmd.StderrPipe()
	check(d.t, err)
	check(d.t, d.cmd.Start())
	cmd, ended, ready, log := d.cmd, d.ended, d.ready, d.log
	go func() {
		isReady := false
		for s := bufio.NewScanner(stderr); s.Scan(); {
			log.add(s.Text())
			if !isReady && strings.Contains(s.Text(), `"message":"ready"`) {
				isReady = true
				close(ready)
			}
		}
		ended <- cmd.Wait()
	}()
}

func (d *daemon) state() string { return filepath.Join(d.data, "..", "state") }

func (d *daemon) waitReady() {
	d.t.Helper()
	select {
	case <-d.ready:
	case err := <-d.ended:
		d.t.Fatalf("the daemon ended at start: %v\n%s", err, d.log)
	case <-time.After(patience):
		d.t.Fatalf("the daemon is not ready\n%s", d.log)
	}
	token, err := os.ReadFile(filepath.Join(d.data, "owner.token"))
	check(d.t, err)
	d.token = strings.TrimSpace(string(token))
}

// kill ends the daemon as a power cut would, as far as a process goes.
func (d *daemon) kill() {
	d.t.Helper()
	check(d.t, d.cmd.Process.Kill())
	d.waitEnd()
}

// waitEnd waits until the daemon process has ended by itself or by a signal.
func (d *daemon) waitEnd() {
	d.t.Helper()
	select {
	case <-d.ended:
		d.ended <- nil
	case <-time.After(patience):
		d.t.Fatalf("the daemon did not end\n%s", d.log)
	}
}

func (d *daemon) restart(env ...string) {
	d.t.Helper()
	d.start(env...)
	d.waitReady()
}

// cleanup ends the daemon and every process that it supervised, and looks for
// what may never be left behind. It may be called again.
func (d *daemon) cleanup() {
	if d.cmd == nil {
		return
	}
	if d.t.Failed() {
		d.t.Logf("daemon log:\n%s", d.log)
	}
	d.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-d.ended:
		d.ended <- nil
	case <-time.After(patience):
		d.t.Errorf("the daemon did not end on SIGINT")
		d.cmd.Process.Kill()
	}
	d.killRest()
}

// killRest ends what is left of the daemon's jobs, until nothing is.
func (d *daemon) killRest() { killAll(d.t, d.data) }

// processes gives the pids of all living processes that belong to the data
// folder: it is in a supervisor's command line, and in the environment of what
// it supervises.
func (d *daemon) processes() []int { return processesOf(d.data) }

// killAll ends all processes that belong to a folder, until there are none.
func killAll(t testing.TB, folder string) {
	for deadline := time.Now().Add(patience); ; {
		left := processesOf(folder)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("processes %v cannot be ended", left)
			return
		}
		for _, pid := range left {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// processesOf gives the pids of all living processes with a folder in their
// command line or environment.
func processesOf(folder string) []int {
	var pids []int
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range folders {
		// What ends meanwhile cannot be read, and a zombie has neither.
		cmdline, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		environ, _ := os.ReadFile(filepath.Join(process, "environ"))
		if !bytes.Contains(cmdline, []byte(folder)) && !bytes.Contains(environ, []byte(folder)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(process)); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// hearth runs the CLI against the daemon and gives what it printed.
func (d *daemon) hearth(args ...string) (stdout string, err error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(d.t), args...)
	cmd.Env = d.env()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("hearth %s: %w\n%s", strings.Join(args, " "), err, errOut.String())
	}
	return out.String(), nil
}

func (d *daemon) env() []string {
	return append(os.Environ(), "HEARTH_ENDPOINT=http://"+d.addr, "XDG_STATE_HOME="+d.state(),
		"HEARTH_TOKEN_FILE="+filepath.Join(d.data, "owner.token"), "NO_COLOR=1")
}

func (d *daemon) must(args ...string) string {
	d.t.Helper()
	out, err := d.hearth(args...)
	check(d.t, err)
	return out
}

// call sends one API request as the owner and gives status and decoded body.
func (d *daemon) call(method, path, body string) (int, map[string]any) {
	d.t.Helper()
	status, b := d.raw(method, path, body)
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		d.t.Fatalf("%s %s answered %d with a body that is not a JSON object: %q", method, path, status, b)
	}
	return status, v
}

func (d *daemon) raw(method, path, body string) (int, []byte) {
	d.t.Helper()
	req, err := http.NewRequest(method, "http://"+d.addr+path, strings.NewReader(body))
	check(d.t, err)
	req.Header.Set("Authorization", "Bearer "+d.token)
	res, err := http.DefaultClient.Do(req)
	check(d.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	check(d.t, err)
	return res.StatusCode, b
}

// statusOf reads a number from /proc/PID/status.
func statusOf(t testing.TB, pid int, field string) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	check(t, err)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[0] == field {
			n, err := strconv.Atoi(f[1])
			check(t, err)
			return n
		}
	}
	t.Fatalf("/proc/%d/status has no %s", pid, field)
	return 0
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
