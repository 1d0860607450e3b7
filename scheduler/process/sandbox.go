package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// enter puts this thread, and what it forks, into a sandbox, all but its user.
// What the host does not have is left out: Isolation tells.
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
	if !root || s.User != 0 {
		return nil
	}
	return dropPrivileges()
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

// dropPrivileges takes all of root's privileges away, for a process that stays
// root. One that becomes another user has none by that.
func dropPrivileges() error {
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
