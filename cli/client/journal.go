package client

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// journalLife is how long an interrupted transfer is remembered. The server
// keeps its side of an upload as long.
const journalLife = 7 * 24 * time.Hour

// journal is a small file of lines in the state folder, by which a transfer
// that was interrupted goes on in the next run. It is named for everything that
// must be the same then. Where it cannot be kept, the transfer works as well
// and only begins anew; so its errors are nobody's.
type journal struct{ path string }

// journal finds what is remembered of a transfer.
func (c *Client) journal(key ...any) journal {
	state, err := StateDir()
	if err != nil {
		return journal{}
	}
	return journal{filepath.Join(state, "transfers", digestOf(c.endpoint, key))}
}

// digestOf gives a name to things: the same one if they are written the same
// in JSON.
func digestOf(key ...any) string {
	h := sha256.New()
	// What identifies a transfer is strings, numbers and structs of these.
	_ = json.NewEncoder(h).Encode(key)
	return hex.EncodeToString(h.Sum(nil))[:40]
}

func (j journal) lines() []string {
	b, err := os.ReadFile(j.path)
	if err != nil {
		return nil
	}
	// A line without its end was not written whole.
	lines := strings.Split(string(b), "\n")
	return lines[:len(lines)-1]
}

func (j journal) add(line string) {
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if errors.Is(err, fs.ErrNotExist) && j.path != "" && os.MkdirAll(filepath.Dir(j.path), 0o700) == nil {
		file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	}
	if err != nil {
		return
	}
	defer file.Close()
	_, _ = file.WriteString(line + "\n")
}

// forget ends a transfer, and forgets those that nobody has gone on with.
func (j journal) forget() {
	os.Remove(j.path)
	entries, err := os.ReadDir(filepath.Dir(j.path))
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > journalLife {
			os.Remove(filepath.Join(filepath.Dir(j.path), e.Name()))
		}
	}
}
