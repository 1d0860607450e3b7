package process

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth/ml"
)

// sandboxed runs a program of the shell in a sandbox whose one folder is the
// working folder, and gives what it wrote.
func sandboxed(t *testing.T, user uint32, program string) (ml.Exit, string) {
	t.Helper()
	return inSandbox(t, &ml.Sandbox{User: user}, program)
}

func inSandbox(t *testing.T, box *ml.Sandbox, program string) (ml.Exit, string) {
	t.Helper()
	user := box.User
	own, err := os.MkdirTemp("", "own")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(own) })
	temp := filepath.Join(own, "temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{own, temp} {
		if err := os.Chown(dir, int(user), int(user)); err != nil && user != 0 {
			t.Fatal(err)
		}
	}
	s := open(t, "none")
	p := shell(program)
	p.Dir = own
	box.Write, box.Temp = []string{own}, temp
	p.Sandbox = box
	if err := s.Start(t.Context(), testID, p); err != nil {
		t.Fatal(err)
	}
	exit, err := s.Wait(t.Context(), testID)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := os.ReadFile(filepath.Join(s.Folder(testID), ml.FileStdout))
	errs, _ := os.ReadFile(filepath.Join(s.Folder(testID), ml.FileStderr))
	return exit, string(out) + string(errs)
}

func users(t *testing.T) []uint32 {
	if os.Geteuid() != 0 {
		t.Log("not root: no user of its own, and nothing to give up")
		return []uint32{0}
	}
	return []uint32{0, 231_000}
}

func TestSandbox_OwnFiles(t *testing.T) {
	for _, user := range users(t) {
		exit, out := sandboxed(t, user, `echo x >file && mkdir -p a/b && mv file a/b/ && cat a/b/file && echo y >temp/t && echo gone >/dev/null && ls /usr >/dev/null && pwd >/dev/null && echo all`)
		if exit.Code != 0 || out != "x\nall\n" {
			t.Errorf("user %d: %+v, %q", user, exit, out)
		}
	}
}

func TestSandbox_OtherFiles(t *testing.T) {
	if landlockVersion() == 0 {
		t.Skip("this kernel has no landlock")
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hidden"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, user := range users(t) {
		for name, attempt := range map[string]string{
			"read":        "cat " + secret,
			"list":        "ls " + filepath.Dir(secret),
			"overwrite":   "echo spoilt >" + secret,
			"delete":      "rm " + secret,
			"create":      "echo new >" + secret + ".new",
			"system":      "echo x >/etc/hearth-was-here",
			"kernel":      "echo 1 >/proc/sys/vm/drop_caches",
			"mount":       "mount -t tmpfs none /mnt",
			"kill others": "kill -0 " + pidOfThis(),
			"look inside": "cat /proc/" + pidOfThis() + "/environ",
			"its own log": "ls " + filepath.Dir(secret) + "/../*/hearth.job.1",
		} {
			exit, out := sandboxed(t, user, attempt)
			if exit.Code == 0 || strings.Contains(out, "hidden") {
				t.Errorf("user %d may %s: %+v, %q", user, name, exit, out)
			}
		}
	}
	if b, err := os.ReadFile(secret); string(b) != "hidden" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

func TestSandbox_Offline(t *testing.T) {
	if landlockVersion() < 4 {
		t.Skip("this kernel's landlock knows no network")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	connect := "exec bash -c 'exec 3<>/dev/tcp/" + strings.Replace(l.Addr().String(), ":", "/", 1) + "'"
	for _, offline := range []bool{false, true} {
		exit, out := inSandbox(t, &ml.Sandbox{Offline: offline}, connect)
		if (exit.Code != 0) != offline {
			t.Errorf("offline %v: %+v, %q", offline, exit, out)
		}
	}
}

func pidOfThis() string {
	pid, _ := os.Readlink("/proc/self")
	return pid
}

func TestSandbox_NoPrivileges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: there are none to give up")
	}
	for _, user := range users(t) {
		exit, out := sandboxed(t, user, `grep -E '^(CapEff|CapPrm|NoNewPrivs)' /proc/self/status; grep CapBnd /proc/self/status; id -u; id -G`)
		want := "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n"
		if exit.Code != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("user %d: %+v, %s", user, exit, out)
		}
		if user != 0 && !strings.HasSuffix(out, "231000\n231000\n") {
			t.Errorf("it is not user %d: %s", user, out)
		}
	}
}

func TestSandbox_OwnTemp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: /tmp is everybody's")
	}
	// The folder of this test's sandbox must not be below what becomes its own.
	t.Setenv("TMPDIR", "/run")
	for _, user := range users(t) {
		exit, out := sandboxed(t, user, `echo mine >/tmp/hearth-mine && cat temp/hearth-mine && ls /tmp /var/tmp && echo x >/dev/shm/x && ls /dev/shm`)
		if exit.Code != 0 || out != "mine\n/tmp:\nhearth-mine\n\n/var/tmp:\nhearth-mine\nx\n" {
			t.Errorf("user %d: %+v, %q", user, exit, out)
		}
	}
	if _, err := os.Stat("/tmp/hearth-mine"); err == nil {
		t.Error("it wrote into everybody's /tmp")
	}
}

func TestSandbox_CannotBeEntered(t *testing.T) {
	s := open(t, "none")
	p := shell("true")
	p.Sandbox = &ml.Sandbox{}
	p.Args = []string{"/nonexistent/program"}
	if err := s.Start(t.Context(), testID, p); err != nil {
		t.Fatal(err)
	}
	exit, err := s.Wait(t.Context(), testID)
	if err != nil || exit.Code != -1 || exit.Reason == "" {
		t.Errorf("%+v, %v", exit, err)
	}
}
