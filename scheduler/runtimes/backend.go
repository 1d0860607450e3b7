package runtimes

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// ownBackends are the build requirements that a runtime has itself.
var ownBackends = map[string]bool{"setuptools": true, "wheel": true}

// maxProject bounds what is read of a pyproject.toml.
const maxProject = 1 << 20

var requirementName = regexp.MustCompile(`^[A-Za-z0-9._-]+`)

// needsBackend reports whether a source archive is built by something else than
// what every runtime has, as its pyproject.toml says.
func needsBackend(archive string) (bool, error) {
	if strings.HasSuffix(archive, ".whl") {
		return false, nil
	}
	text, err := projectFile(archive)
	if err != nil || text == nil {
		return false, err
	}
	var project struct {
		Build struct {
			Requires []string `toml:"requires"`
		} `toml:"build-system"`
	}
	if toml.Unmarshal(text, &project) != nil {
		return false, nil // pip will say what is wrong with it
	}
	for _, r := range project.Build.Requires {
		if !ownBackends[strings.ToLower(requirementName.FindString(r))] {
			return true, nil
		}
	}
	return false, nil
}

// projectFile reads the pyproject.toml at the top of an archive, nil if there is
// none.
func projectFile(archive string) ([]byte, error) {
	top := func(name string) bool {
		dir, base := path.Split(path.Clean(name))
		return base == "pyproject.toml" && strings.Count(dir, "/") <= 1
	}
	if strings.HasSuffix(archive, ".zip") {
		return zipProject(archive, top)
	}
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, nil // pip will say so
	}
	for t := tar.NewReader(z); ; {
		entry, err := t.Next()
		switch {
		case err != nil:
			return nil, nil
		case top(entry.Name):
			return io.ReadAll(io.LimitReader(t, maxProject))
		}
	}
}

func zipProject(archive string, top func(string) bool) ([]byte, error) {
	z, err := zip.OpenReader(archive)
	if errors.Is(err, zip.ErrFormat) {
		return nil, nil // pip will say so
	}
	if err != nil {
		return nil, err
	}
	defer z.Close()
	for _, entry := range z.File {
		if !top(entry.Name) {
			continue
		}
		r, err := entry.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(io.LimitReader(r, maxProject))
	}
	return nil, nil
}
