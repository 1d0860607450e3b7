package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"hearth/ml"
)

// StateDir gives the folder where daemons of this user leave word of
// themselves and where files for other programs are written:
// $XDG_STATE_HOME/hearth, by default ~/.local/state/hearth.
func StateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "hearth"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for state: %w", err)
	}
	return filepath.Join(home, ".local", "state", "hearth"), nil
}

// HostPort gives an address as it appears in file names: 127.0.0.1_8080.
func HostPort(address string) string {
	return strings.ReplaceAll(address, ":", "_")
}

// FindToken gives the file with the owner's token of the daemon at an
// endpoint, if that daemon runs on this machine and for this user. NOT_FOUND
// otherwise.
func FindToken(endpoint string) (string, error) {
	dir, err := StateDir()
	if err != nil {
		return "", err
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", ml.Errorf(ml.InvalidArgument, "%q is not an endpoint such as http://127.0.0.1:8080", endpoint)
	}
	for _, address := range addresses(u) {
		b, err := os.ReadFile(filepath.Join(dir, HostPort(address)+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("find the daemon's token: %w", err)
		}
		var daemon struct {
			Data string `json:"data"`
		}
		if err := json.Unmarshal(b, &daemon); err != nil {
			return "", fmt.Errorf("find the daemon's token: %w", err)
		}
		return filepath.Join(daemon.Data, "owner.token"), nil
	}
	return "", ml.Errorf(ml.NotFound, "no daemon of this user is known at %s", endpoint)
}

// addresses gives the addresses under which the daemon behind a URL may have
// announced itself: one that listens on every address answers to localhost.
func addresses(u *url.URL) []string {
	port := u.Port()
	out := []string{u.Host}
	ip := net.ParseIP(u.Hostname())
	if u.Hostname() == "localhost" || ip.IsLoopback() {
		for _, host := range []string{"127.0.0.1", "localhost", "::1"} {
			out = append(out, net.JoinHostPort(host, port))
		}
	}
	for _, host := range []string{"0.0.0.0", "::"} {
		out = append(out, net.JoinHostPort(host, port))
	}
	return out
}
