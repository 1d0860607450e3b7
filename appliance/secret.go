package appliance

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// tokenFile holds the owner's bearer token.
	tokenFile = "owner.token"
	// keyFile holds the key that the secrets of jobs are derived from.
	keyFile = "jobs.key"
)

// secret reads the file of that name in the data folder; the first start makes
// it, with 256 random bits, readable by the owner only.
func secret(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if err == nil {
		if s := strings.TrimSpace(string(b)); s != "" {
			return s, nil
		}
		return "", fmt.Errorf("%s is empty: remove it and Hearth makes a new one", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	random := make([]byte, 32)
	rand.Read(random)
	s := base64.RawURLEncoding.EncodeToString(random)
	if err := writeDurably(path, []byte(s+"\n")); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return s, nil
}

// writeDurably replaces the file with b, mode 0600: after it returns the file
// has its new content whatever happens, before it the old one.
func writeDurably(path string, b []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
