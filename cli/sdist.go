package cli

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"hearth/ml"
)

// setupTemplate is the setup.py of a package whose folder has none.
const setupTemplate = `from setuptools import find_packages, setup

setup(name=%[1]q, version="0.0.0", packages=find_packages(include=[%[1]q, %[2]q]))
`

// sdistProgram builds a source archive in the way that PEP 517 describes. It
// exits 3 if the build backend is not installed here.
//
//go:embed sdist.py
var sdistProgram string

// backendMissing is the exit status of sdistProgram without a backend.
const backendMissing = 3

var packageName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// buildPackage makes an archive that pip can install of the Python package in
// a folder, below scratch, and gives its path. The user's folders stay as they
// are: the build runs in a copy.
func buildPackage(ctx context.Context, packagePath, scratch string) (string, error) {
	dir, err := filepath.Abs(packagePath)
	if err != nil {
		return "", fmt.Errorf("build the package: %w", err)
	}
	name := filepath.Base(dir)
	if _, err := os.Stat(filepath.Join(dir, "__init__.py")); err != nil {
		return "", ml.Errorf(ml.InvalidArgument, "%s is no Python package: it has no __init__.py", packagePath)
	}
	if !packageName.MatchString(name) {
		return "", ml.Errorf(ml.InvalidArgument, "%q is no name that a Python package can have", name)
	}
	root, tree := filepath.Dir(dir), filepath.Join(scratch, "tree")
	backend, err := buildBackend(root)
	if err != nil {
		return "", err
	}
	if backend == "" {
		backend = defaultBackend
		if err := copySource(dir, filepath.Join(tree, name)); err != nil {
			return "", err
		}
		setup := fmt.Sprintf(setupTemplate, name, name+".*")
		if err := os.WriteFile(filepath.Join(tree, "setup.py"), []byte(setup), 0o644); err != nil {
			return "", fmt.Errorf("build the package: %w", err)
		}
	} else if err := copySource(root, tree); err != nil {
		return "", err
	}
	return buildArchive(ctx, archiveBuild{tree: tree, backend: backend, name: name, out: filepath.Join(scratch, "dist")})
}

// defaultBackend builds projects that name no backend, as pip does it.
const defaultBackend = "setuptools.build_meta:__legacy__"

// buildBackend gives the backend that builds the project in a folder, empty if
// there is no project there.
func buildBackend(root string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, "pyproject.toml"))
	if err == nil {
		var project struct {
			Project     map[string]any `toml:"project"`
			BuildSystem struct {
				Backend string `toml:"build-backend"`
			} `toml:"build-system"`
		}
		if err := toml.Unmarshal(b, &project); err != nil {
			return "", ml.Errorf(ml.InvalidArgument, "%s: %v", filepath.Join(root, "pyproject.toml"), err)
		}
		if project.BuildSystem.Backend != "" {
			return project.BuildSystem.Backend, nil
		}
		// A pyproject.toml may be there for a linter alone.
		if project.Project != nil {
			return defaultBackend, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("build the package: %w", err)
	}
	for _, file := range []string{"setup.py", "setup.cfg"} {
		if _, err := os.Stat(filepath.Join(root, file)); err == nil {
			return defaultBackend, nil
		}
	}
	return "", nil
}

// archiveBuild is one build: of what, with what, to where.
type archiveBuild struct{ tree, backend, name, out string }

// buildArchive lets the project's backend make the archive. Where that is not
// installed (Debian's python3 comes without setuptools) the tree itself is
// packed: pip builds from that as well as from an sdist, where the job runs.
func buildArchive(ctx context.Context, b archiveBuild) (string, error) {
	if err := os.MkdirAll(b.out, 0o700); err != nil {
		return "", fmt.Errorf("build the package: %w", err)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return packTree(b)
	}
	cmd := exec.CommandContext(ctx, python, "-c", sdistProgram, b.backend, b.out)
	cmd.Dir = b.tree
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() == backendMissing:
		return packTree(b)
	case err != nil:
		return "", &ml.Error{Kind: ml.InvalidArgument, Message: "the package does not build:\n" + strings.TrimSpace(string(output)), Err: err}
	}
	archives, err := filepath.Glob(filepath.Join(b.out, "*.tar.gz"))
	if err != nil || len(archives) != 1 {
		return "", ml.Errorf(ml.Internal, "the build of the package left %d archives", len(archives))
	}
	return archives[0], nil
}
