package appliance

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// What storage.backend may be.
const (
	backendLocal = "local"
	backendMinIO = "minio"
)

// MinIOConfig says where the bucket's server is, or how to run one.
type MinIOConfig struct {
	Endpoint        string `toml:"endpoint"`
	AccessKey       string `toml:"access_key"`
	SecretKey       string `toml:"secret_key"`
	CredentialsFile string `toml:"credentials_file"`
	CAFile          string `toml:"ca_file"`
	Region          string `toml:"region"`
	Run             bool   `toml:"run"`
	Binary          string `toml:"binary"`
	Listen          string `toml:"listen"`
}

// Variables that come before the keys of the configuration, so that those need
// not be in a file.
const (
	accessKeyVariable = "HEARTH_MINIO_ACCESS_KEY"
	secretKeyVariable = "HEARTH_MINIO_SECRET_KEY"
)

func defaultStorage() StorageConfig {
	return StorageConfig{
		Backend: backendLocal, Reserve: Share{Percent: 5}, ReserveMin: 1 << 30,
		MinIO: MinIOConfig{Binary: "minio", Listen: "127.0.0.1:9000"},
	}
}

// reserveOf gives how many bytes of a disk with total bytes stay free.
func (c *StorageConfig) reserveOf(total int64) int64 {
	if c.Reserve.Percent > 0 {
		return max(c.Reserve.Of(total), int64(c.ReserveMin))
	}
	return int64(c.Reserve.Bytes)
}

// resolve checks the keys about the bucket, makes paths absolute and finds the
// credentials.
func (c *StorageConfig) resolve() error {
	switch c.Backend {
	case backendLocal:
		return nil
	case backendMinIO:
		if c.MinIO.Run {
			return c.MinIO.resolveRun()
		}
		return c.MinIO.resolveRemote()
	}
	return fmt.Errorf("storage.backend: %q is neither local nor minio", c.Backend)
}

// resolveRun checks what a server of our own is started with. What it makes
// unneeded must be empty, so that nobody believes it to count.
func (m *MinIOConfig) resolveRun() error {
	for _, unneeded := range []struct{ key, value string }{
		{"endpoint", m.Endpoint}, {"access_key", m.AccessKey}, {"secret_key", m.SecretKey},
		{"credentials_file", m.CredentialsFile}, {"ca_file", m.CAFile},
	} {
		if unneeded.value != "" {
			return fmt.Errorf("storage.minio.%s: leave it empty, or set run = false: a server that Hearth runs needs none", unneeded.key)
		}
	}
	if m.Binary == "" {
		return errors.New("storage.minio.binary: name the program that run is to start")
	}
	if host, port, err := net.SplitHostPort(m.Listen); err != nil || host == "" || port == "" || port == "0" {
		return fmt.Errorf("storage.minio.listen: %q is not HOST:PORT, such as 127.0.0.1:9000", m.Listen)
	}
	return nil
}

// resolveRemote checks how a server that others run is reached.
func (m *MinIOConfig) resolveRemote() error {
	u, err := url.Parse(m.Endpoint)
	switch {
	case m.Endpoint == "":
		return errors.New("storage.minio.endpoint: say where the server is, such as http://127.0.0.1:9000, or set run = true")
	case err == nil && u.User != nil:
		return errors.New("storage.minio.endpoint: keys do not belong here; use access_key and secret_key")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return errors.New("storage.minio.endpoint is not http://HOST:PORT or https://HOST:PORT")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("storage.minio.endpoint: leave out what follows HOST:PORT")
	case m.CAFile != "" && u.Scheme != "https":
		return errors.New("storage.minio.ca_file is for an endpoint that begins with https://")
	}
	m.Endpoint = u.Scheme + "://" + u.Host
	if m.CAFile != "" {
		if m.CAFile, err = filepath.Abs(m.CAFile); err != nil {
			return fmt.Errorf("storage.minio.ca_file: %w", err)
		}
	}
	return m.findKeys()
}

// findKeys sets both keys: from the environment, else from the configuration,
// else from the credentials file. No error shows any of them.
func (m *MinIOConfig) findKeys() error {
	if m.CredentialsFile != "" {
		if m.AccessKey != "" || m.SecretKey != "" {
			return errors.New("storage.minio.credentials_file: leave it empty, or access_key and secret_key")
		}
		keys, err := readKeys(m.CredentialsFile)
		if err != nil {
			return fmt.Errorf("storage.minio.credentials_file: %w", err)
		}
		m.AccessKey, m.SecretKey = keys.access, keys.secret
	}
	if v := os.Getenv(accessKeyVariable); v != "" {
		m.AccessKey = v
	}
	if v := os.Getenv(secretKeyVariable); v != "" {
		m.SecretKey = v
	}
	for _, need := range []struct{ key, value, variable string }{
		{"access_key", m.AccessKey, accessKeyVariable}, {"secret_key", m.SecretKey, secretKeyVariable},
	} {
		if need.value == "" {
			return fmt.Errorf("storage.minio.%s: set it, or credentials_file, or %s in the environment", need.key, need.variable)
		}
	}
	return nil
}
