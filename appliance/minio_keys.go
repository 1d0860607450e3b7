package appliance

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// minioKeys open a MinIO server.
type minioKeys struct{ access, secret string }

// minioKeysFile holds the credentials of the MinIO server that Hearth runs. It
// is MinIO's own environment file: the server reads it by itself.
const minioKeysFile = "minio.env"

// Variables of MinIO's environment file.
const (
	rootUserVariable     = "MINIO_ROOT_USER"
	rootPasswordVariable = "MINIO_ROOT_PASSWORD"
)

// makeKeys makes the file of credentials, readable by the owner only, if there
// is none yet.
func makeKeys(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	random := make([]byte, 30)
	rand.Read(random)
	text := fmt.Sprintf("%s=hearth\n%s=%s\n", rootUserVariable, rootPasswordVariable, base64.RawURLEncoding.EncodeToString(random))
	if err := writeDurably(path, []byte(text)); err != nil {
		return fmt.Errorf("write the credentials of MinIO: %w", err)
	}
	return nil
}

// readKeys reads a file with the lines MINIO_ROOT_USER=… and
// MINIO_ROOT_PASSWORD=…. They may stand behind "export" and in quotes; other
// lines say nothing.
func readKeys(path string) (minioKeys, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return minioKeys{}, err
	}
	found := map[string]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, _ := strings.Cut(line, "=")
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		found[strings.TrimSpace(name)] = value
	}
	for _, name := range []string{rootUserVariable, rootPasswordVariable} {
		if found[name] == "" {
			return minioKeys{}, fmt.Errorf("%s has no line %s=…", path, name)
		}
	}
	return minioKeys{found[rootUserVariable], found[rootPasswordVariable]}, nil
}
