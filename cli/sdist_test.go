package cli

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hearth/ml"
)

// project makes a folder with a Python package named trainer in it, and other
// files beside that.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	all := map[string]string{"trainer/__init__.py": "", "trainer/task.py": "print('hello')\n", "trainer/deep/__init__.py": ""}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// namesIn gives the names in a .tar.gz, without the folder that all are in.
func namesIn(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(strings.TrimSuffix(h.Name, "/"), "/")
		names = append(names, name)
	}
}

func needSetuptools(t *testing.T) {
	t.Helper()
	if err := exec.Command("python3", "-c", "import setuptools").Run(); err != nil {
		t.Skip("python3 has no setuptools")
	}
}

const setupPy = "from setuptools import setup, find_packages\nsetup(name='mine', version='2.0', packages=find_packages())\n"

func TestBuildPackage(t *testing.T) {
	needSetuptools(t)
	cases := map[string]struct {
		files map[string]string
		want  string
	}{
		"NoProject":           {nil, "trainer-0.0.0.tar.gz"},
		"SetupPy":             {map[string]string{"setup.py": setupPy}, "mine-2.0.tar.gz"},
		"SetupPyOfNeighbours": {map[string]string{"setup.py": "import names\n" + strings.Replace(setupPy, "'mine'", "names.NAME", 1), "names.py": "NAME = 'mine'"}, "mine-2.0.tar.gz"},
		"Pyproject":           {map[string]string{"pyproject.toml": "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n[project]\nname = 'mine'\nversion = '3.0'\n"}, "mine-3.0.tar.gz"},
		"PyprojectOfALinter":  {map[string]string{"pyproject.toml": "[tool.linter]\nstrict = true\n"}, "trainer-0.0.0.tar.gz"},
		"BackendMissing":      {map[string]string{"pyproject.toml": "[build-system]\nbuild-backend = 'no_such_backend.api'\n"}, "trainer-0.0.0.tar.gz"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := project(t, c.files)
			before := tree(t, root)
			got, err := buildPackage(t.Context(), filepath.Join(root, "trainer"), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Base(got) != c.want {
				t.Errorf("built %s, want %s", filepath.Base(got), c.want)
			}
			names := namesIn(t, got)
			for _, want := range []string{"trainer/__init__.py", "trainer/task.py", "trainer/deep/__init__.py"} {
				if !slices.Contains(names, want) {
					t.Errorf("the archive lacks %s: %v", want, names)
				}
			}
			if after := tree(t, root); !slices.Equal(before, after) {
				t.Errorf("the build changed the source: %v became %v", before, after)
			}
		})
	}
}

func tree(t *testing.T, root string) []string {
	t.Helper()
	var names []string
	err := eachFile(root, func(_, name string, _ fs.FileInfo) error { names = append(names, name); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestBuildPackage_Refuses(t *testing.T) {
	needSetuptools(t)
	root := project(t, map[string]string{"setup.py": "raise ValueError('broken setup')\n", "plain/file.py": ""})
	for path, want := range map[string]string{"trainer": "broken setup", "plain": "__init__.py", "absent": "__init__.py"} {
		_, err := buildPackage(t.Context(), filepath.Join(root, path), t.TempDir())
		if ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want INVALID_ARGUMENT with %q", path, err, want)
		}
	}
}

// Without setuptools the source itself is packed, without what is no source.
func TestBuildPackage_WithoutPython(t *testing.T) {
	root := project(t, map[string]string{
		"setup.py": setupPy, ".git/HEAD": "", "env/pyvenv.cfg": "", "env/lib/x.py": "",
		"trainer/__pycache__/task.pyc": "", "mine.egg-info/PKG-INFO": "", "notes.txt": "",
	})
	t.Setenv("PATH", t.TempDir())
	got, err := buildPackage(t.Context(), filepath.Join(root, "trainer"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"notes.txt", "setup.py", "trainer/__init__.py", "trainer/deep/__init__.py", "trainer/task.py"}
	if names := namesIn(t, got); !slices.Equal(names, want) {
		t.Errorf("packed %v, want %v", names, want)
	}
}
