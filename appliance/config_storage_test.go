package appliance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// storageConfig reads the text of a [storage] table.
func storageConfig(t *testing.T, text string) (StorageConfig, error) {
	t.Helper()
	c := DefaultConfig()
	if err := decodeConfig([]byte("[storage]\n"+text), &c); err != nil {
		t.Fatal(err)
	}
	err := c.Resolve()
	return c.Storage, err
}

func TestStorageConfig_Reserve(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct {
		text  string
		total int64
		want  int64
	}{
		"default":             {"", 100 * gib, 5 * gib},
		"default, small disk": {"", 10 * gib, gib},
		"share":               {"reserve = \"10%\"\nreserve_min = \"0\"", 10 * gib, gib},
		"size":                {`reserve = "64MiB"`, 100 * gib, 64 << 20},
		"off, number":         {`reserve = 0`, 100 * gib, 0},
		"off, text":           {`reserve = "0"`, 100 * gib, 0},
		"off, share":          {`reserve = "0%"`, 100 * gib, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := storageConfig(t, c.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.reserveOf(c.total); got != c.want {
				t.Errorf("of %d bytes %d stay free, want %d", c.total, got, c.want)
			}
		})
	}
}

func TestStorageConfig_Errors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("MINIO_ROOT_USER=me\npassword is s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const minio = "backend = \"minio\"\n[storage.minio]\n"
	const keys = "access_key = \"a\"\nsecret_key = \"s3cret\"\n"
	for name, c := range map[string]struct{ text, want string }{
		"backend":                 {`backend = "s3"`, `storage.backend: "s3" is neither local nor minio`},
		"no endpoint":             {minio + keys, "storage.minio.endpoint: say where"},
		"no scheme":               {minio + keys + `endpoint = "localhost:9000"`, "storage.minio.endpoint is not http://"},
		"keys in endpoint":        {minio + `endpoint = "http://a:s3cret@localhost:9000"`, "keys do not belong here"},
		"bad keys in endpoint":    {minio + `endpoint = "http://a:s3cret@local host:9000"`, "storage.minio.endpoint is not"},
		"path":                    {minio + keys + `endpoint = "http://localhost:9000/bucket"`, "leave out what follows"},
		"CA without TLS":          {minio + keys + "endpoint = \"http://localhost:9000\"\nca_file = \"ca.pem\"", "storage.minio.ca_file"},
		"no access key":           {minio + `endpoint = "http://localhost:9000"`, "storage.minio.access_key: set it"},
		"no secret key":           {minio + "endpoint = \"http://localhost:9000\"\naccess_key = \"a\"", secretKeyVariable},
		"keys twice":              {minio + keys + "endpoint = \"http://localhost:9000\"\ncredentials_file = \"f\"", "storage.minio.credentials_file: leave it empty"},
		"no such file":            {minio + "endpoint = \"http://localhost:9000\"\ncredentials_file = \"/no/file\"", "/no/file: no such file"},
		"file without a password": {minio + "endpoint = \"http://localhost:9000\"\ncredentials_file = \"" + file + `"`, "has no line MINIO_ROOT_PASSWORD="},
		"run, endpoint":           {minio + "run = true\nendpoint = \"http://localhost:9000\"", "storage.minio.endpoint: leave it empty"},
		"run, keys":               {minio + "run = true\n" + keys, "storage.minio.access_key: leave it empty"},
		"run, listen":             {minio + "run = true\nlisten = \"9000\"", "storage.minio.listen"},
		"run, binary":             {minio + "run = true\nbinary = \"\"", "storage.minio.binary"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := storageConfig(t, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestStorageConfig_Keys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "minio.env")
	text := "# of MinIO\nMINIO_VOLUMES=/srv\nexport MINIO_ROOT_USER=\"me\"\nMINIO_ROOT_PASSWORD=a=b\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const minio = "backend = \"minio\"\n[storage.minio]\nendpoint = \"https://minio.lab:9000/\"\n"
	s, err := storageConfig(t, minio+"credentials_file = \""+file+`"`)
	if err != nil {
		t.Fatal(err)
	}
	if m := s.MinIO; m.AccessKey != "me" || m.SecretKey != "a=b" || m.Endpoint != "https://minio.lab:9000" {
		t.Errorf("got %+v", m)
	}
	t.Setenv(secretKeyVariable, "from outside")
	s, err = storageConfig(t, minio+"access_key = \"x\"\nsecret_key = \"y\"")
	if err != nil {
		t.Fatal(err)
	}
	if m := s.MinIO; m.AccessKey != "x" || m.SecretKey != "from outside" {
		t.Errorf("got %q and %q: the environment comes first", m.AccessKey, m.SecretKey)
	}
}
