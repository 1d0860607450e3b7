package appliance

import (
	"fmt"
	"os"

	"hearth/scheduler/process"
	"hearth/scheduler/training"
)

// SandboxConfig says what of the machine jobs may touch.
type SandboxConfig struct {
	Enabled bool      `toml:"enabled"`
	Cgroups bool      `toml:"cgroups"`
	Users   UserRange `toml:"users"`
	Read    []string  `toml:"read"`
	Write   []string  `toml:"write"`
}

// UserRange is the first and the last of some users, written as "231000-231999";
// empty for none.
type UserRange [2]uint32

// UnmarshalText reads a range.
func (r *UserRange) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*r = UserRange{}
		return nil
	}
	n, err := fmt.Sscanf(string(b), "%d-%d", &r[0], &r[1])
	if n != 2 || err != nil || r[0] < 1 || r[0] > r[1] {
		return fmt.Errorf(`%q is not a range of users such as "231000-231999"`, b)
	}
	return nil
}

// MarshalText writes the range.
func (r UserRange) MarshalText() ([]byte, error) {
	if r[1] == 0 {
		return nil, nil
	}
	return fmt.Appendf(nil, "%d-%d", r[0], r[1]), nil
}

// userDetail says whom jobs run as.
func (a *Appliance) userDetail() string {
	c := a.config.Sandbox
	switch {
	case !c.Enabled:
		return "a job's sandbox: switched off; a job may do all that the daemon's user may"
	case !process.CanBecomeOthers():
		return "a job's user: the daemon's"
	case c.Users[1] == 0:
		return "a job's user: the daemon's, without its privileges"
	}
	return fmt.Sprintf("a job's user: one of its own from %d-%d, where what it reads is open to others, else the daemon's without its privileges; its log says which", c.Users[0], c.Users[1])
}

// rules say what jobs may touch here. Where they run as users of their own, the
// way to their folders is opened to them; what is theirs and others' stays
// closed by itself.
func (a *Appliance) rules() (training.Rules, error) {
	c := a.config.Sandbox
	r := training.Rules{Off: !c.Enabled, FilesKept: process.FilesKept(), Read: c.Read, Write: c.Write}
	if r.Off || !process.CanBecomeOthers() || c.Users[1] == 0 {
		return r, nil
	}
	r.Users = c.Users
	for _, dir := range []string{a.config.Data, a.path("attempts"), a.path("tls")} {
		if err := os.Chmod(dir, 0o711); err != nil {
			return r, fmt.Errorf("let jobs come to their folders: %w", err)
		}
	}
	return r, nil
}
