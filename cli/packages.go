package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

// stagePackages builds and uploads what a job needs, and gives the URIs of all
// its packages in the order in which they were named.
func stagePackages(c *cli.Context, daemon *client.Client, job *ml.Job) ([]string, error) {
	var local, uris []string
	for _, p := range c.StringSlice("packages") {
		if strings.HasPrefix(p, "gs://") {
			uris = append(uris, p)
		} else {
			local = append(local, p)
		}
	}
	if c.IsSet("package-path") {
		scratch, err := os.MkdirTemp("", "hearth-package-")
		if err != nil {
			return nil, fmt.Errorf("build the package: %w", err)
		}
		defer os.RemoveAll(scratch)
		built, err := buildPackage(c.Context, c.String("package-path"), scratch)
		if err != nil {
			return nil, err
		}
		local = append(local, built)
	}
	if len(local) == 0 {
		return uris, nil
	}
	bucket, prefix, err := stagingFolder(c, job)
	if err != nil {
		return nil, err
	}
	for _, file := range local {
		uri, err := stageFile(c, daemon, stagedFile{path: file, bucket: bucket, prefix: prefix})
		if err != nil {
			return nil, err
		}
		uris = append(uris, uri)
	}
	return uris, nil
}

// stagedFile is a local file on its way to gs://bucket/prefix/SHA256/.
type stagedFile struct{ path, bucket, prefix string }

func stageFile(c *cli.Context, daemon *client.Client, f stagedFile) (string, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return "", fmt.Errorf("upload a package: %w", err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("upload a package: %w", err)
	}
	name := joinObject(f.prefix, path.Join(hex.EncodeToString(hash.Sum(nil)), filepath.Base(f.path)))
	to := client.UploadRequest{Object: client.Object{Bucket: f.bucket, Name: name}}
	if _, err := daemon.UploadFile(c.Context, to, f.path); err != nil {
		return "", err
	}
	return "gs://" + f.bucket + "/" + name, nil
}
