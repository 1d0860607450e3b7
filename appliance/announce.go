package appliance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// announcement tells the command line of the same user where a local daemon
// keeps its data, so that it finds the owner's token by itself.
type announcement struct {
	Data string `json:"data"`
	PID  int    `json:"pid"`
}

// AnnouncementPath is the file that a daemon listening on address announces
// itself in: $XDG_STATE_HOME/hearth/HOST_PORT.json.
func AnnouncementPath(address string) (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "hearth", strings.ReplaceAll(address, ":", "_")+".json"), nil
}

func announce(address, data string) error {
	path, err := AnnouncementPath(address)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	b, err := json.Marshal(announcement{Data: data, PID: os.Getpid()})
	if err != nil {
		return err
	}
	return writeDurably(path, b)
}
