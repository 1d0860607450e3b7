package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// sandboxFailed is the exit status of a program whose sandbox could not be made,
// as a shell's for one that cannot be executed.
const sandboxFailed = 126

// SandboxMain is the hidden command `hearth enter-sandbox DIR PROGRAM`: it gives
// up what the sandbox in DIR/spec.json takes away and becomes PROGRAM, with the
// arguments of the specification and its own environment. It returns only if
// that fails.
func SandboxMain(dir, program string) int {
	// All of this is a thread's own, and this thread is the one that stays.
	runtime.LockOSThread()
	sp, err := readSpec(dir)
	if err == nil && sp.Process.Sandbox == nil {
		err = errors.New("the process has no sandbox")
	}
	if err == nil {
		err = enter(*sp.Process.Sandbox)
	}
	if err == nil {
		err = unix.Exec(program, sp.Process.Args, os.Environ())
	}
	fmt.Fprintf(os.Stderr, "hearth: the program cannot be started in its sandbox: %v\n", err)
	return sandboxFailed
}

// enter puts this thread into a sandbox. What the host does not have is left
// out: Isolation tells.
func enter(s ml.Sandbox) error {
	root := os.Geteuid() == 0
	if root && s.Temp != "" {
		if err := ownTemp(s); err != nil {
			return fmt.Errorf("give it a /tmp of its own: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	if err := landlock(s); err != nil {
		return fmt.Errorf("keep it to its files: %w", err)
	}
	if !root {
		return nil
	}
	return dropPrivileges(s.User)
}

// ownTemp gives this thread a view of the file system in which /tmp and /var/tmp
// are a folder of the sandbox, and shared memory is its own.
func ownTemp(s ml.Sandbox) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	for _, place := range []string{"/tmp", "/var/tmp"} {
		if hides(place, s) {
			continue
		}
		if err := unix.Mount(s.Temp, place, "", unix.MS_BIND, ""); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// hides reports whether something that the sandbox needs is below a folder.
func hides(folder string, s ml.Sandbox) bool {
	for _, paths := range [][]string{s.Read, s.Write, {s.Temp}} {
		for _, p := range paths {
			if real, err := filepath.EvalSymlinks(p); err == nil && strings.HasPrefix(real+"/", folder+"/") {
				return true
			}
		}
	}
	return false
}

// Bits of PR_SET_SECUREBITS: being root gives no privileges, and that cannot be
// taken back.
const noRoot = 1<<0 | 1<<1 | 1<<2 | 1<<3

// dropPrivileges takes all of root's privileges away, and its user unless that
// is 0.
func dropPrivileges(user uint32) error {
	if user != 0 {
		// Without capabilities of its own, another user has none after this.
		id := uintptr(user)
		for _, step := range []func() (uintptr, uintptr, unix.Errno){
			func() (uintptr, uintptr, unix.Errno) { return unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0) },
			func() (uintptr, uintptr, unix.Errno) { return unix.RawSyscall(unix.SYS_SETRESGID, id, id, id) },
			func() (uintptr, uintptr, unix.Errno) { return unix.RawSyscall(unix.SYS_SETRESUID, id, id, id) },
		} {
			if _, _, errno := step(); errno != 0 {
				return fmt.Errorf("become user %d: %w", user, errno)
			}
		}
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, noRoot, 0, 0, 0); err != nil {
		return fmt.Errorf("take root's privileges away: %w", err)
	}
	for c := 0; ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // there are no more
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}
