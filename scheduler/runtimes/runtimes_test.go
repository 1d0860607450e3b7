package runtimes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/ml"
	"hearth/scheduler/runtimes/wheeltest"
)

// shared is a store with an installed runtime "2.21", made once.
var shared struct {
	once  sync.Once
	dir   string
	store *Store
	err   error
	seen  []Progress
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(shared.dir)
	os.Exit(code)
}

func sharedStore(t *testing.T) *Store {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3")
	}
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "runtimes"); shared.err != nil {
			return
		}
		wheels := filepath.Join(shared.dir, "wheels")
		os.Mkdir(wheels, 0o755)
		if _, shared.err = wheeltest.TensorFlow("2.21.0").Write(wheels); shared.err != nil {
			return
		}
		shared.store = newStore(t, shared.dir)
		_, shared.err = shared.store.Install(context.Background(), "2.21", InstallOptions{Wheelhouse: wheels}, func(p Progress) {
			shared.seen = append(shared.seen, p)
		})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.store
}

func newStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(Options{
		Dir:          filepath.Join(dir, "runtimes"),
		Environments: filepath.Join(dir, "environments"),
		Default:      "2.21",
		Aliases:      map[string]string{"2.20": "2.21"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore_Install(t *testing.T) {
	t.Run("from a wheelhouse", func(t *testing.T) {
		s := sharedStore(t)
		r, err := s.Get("")
		if err != nil {
			t.Fatal(err)
		}
		if r.TensorFlow != "2.21.0" || !strings.HasPrefix(r.Python, "3.") || r.SizeBytes == 0 || r.TensorFlowDir != filepath.Join(r.SitePackages, "tensorflow") {
			t.Errorf("the record is not right: %+v", r)
		}
		pins, err := os.ReadFile(filepath.Join(r.Dir, constraintsFile))
		if err != nil || string(pins) != "tensorflow==2.21.0\n" {
			t.Errorf("constraints are %q, %v", pins, err)
		}
		phases := ""
		for _, p := range shared.seen {
			phases += p.Phase + " "
		}
		for _, phase := range []string{PhasePrepare, PhaseDownload, PhaseInstall, PhaseVerify} {
			if !strings.Contains(phases, phase) {
				t.Errorf("no progress of phase %s in %s", phase, phases)
			}
		}
	})
	t.Run("installed already", func(t *testing.T) {
		s := sharedStore(t)
		r, err := s.Install(t.Context(), "2.20", InstallOptions{}, func(Progress) { t.Error("something was done") })
		if err != nil || r.Name != "2.21" {
			t.Errorf("got %+v, %v", r, err)
		}
	})
	t.Run("bad names", func(t *testing.T) {
		s := newStore(t, t.TempDir())
		for _, name := range []string{"../x", "2", "2.14", "1.14", "latest"} {
			if _, err := s.Install(t.Context(), name, InstallOptions{}, func(Progress) {}); ml.KindOf(err) != ml.InvalidArgument {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("wheel is missing", func(t *testing.T) {
		s := newStore(t, t.TempDir())
		_, err := s.Install(t.Context(), "2.21", InstallOptions{Wheelhouse: t.TempDir()}, func(Progress) {})
		if ml.KindOf(err) != ml.FailedPrecondition || !strings.Contains(err.Error(), "has no wheel for tensorflow that fits") {
			t.Errorf("got %v", err)
		}
		if infos, _ := s.List(); len(infos) != 0 {
			t.Errorf("something is left: %+v", infos)
		}
	})
	t.Run("wheelhouse is missing", func(t *testing.T) {
		s := newStore(t, t.TempDir())
		_, err := s.Install(t.Context(), "2.21", InstallOptions{Wheelhouse: filepath.Join(t.TempDir(), "no")}, func(Progress) {})
		if ml.KindOf(err) != ml.InvalidArgument {
			t.Errorf("got %v", err)
		}
	})
}

func TestInstallation_Explain(t *testing.T) {
	out := "Looking in links: /w\nCollecting tensorflow\nERROR: Could not find a version that satisfies the requirement h5py>=3.11 (from tensorflow)\nERROR: No matching distribution found for h5py>=3.11\n"
	in := &installation{Store: &Store{}, wheels: "/w", declaration: shipped["2.21"]}
	if err := in.explain(out, errors.New("exit status 1")); !strings.Contains(err.Error(), "The wheelhouse /w has no wheel for h5py>=3.11") {
		t.Errorf("offline: %v", err)
	}
	in.wheels = ""
	if err := in.explain(out, errors.New("exit status 1")); !strings.Contains(err.Error(), "ERROR: Could not find a version") || strings.Contains(err.Error(), "Looking") {
		t.Errorf("online: %v", err)
	}
}

func TestStore_Install_Shared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wheels := filepath.Join(dir, "wheels")
	os.Mkdir(wheels, 0o755)
	if _, err := wheeltest.TensorFlow("2.21.0").Write(wheels); err != nil {
		t.Fatal(err)
	}
	s := newStore(t, dir)
	// The rest of an interrupted install is in the way.
	junk := filepath.Join(s.dir("2.21"), "junk")
	os.MkdirAll(s.dir("2.21"), 0o755)
	os.WriteFile(junk, nil, 0o644)
	if infos, _ := s.List(); len(infos) != 1 || infos[0].State != Broken {
		t.Fatalf("an unfinished runtime is listed as %+v", infos)
	}
	ids := make(chan string, 2)
	gone, leave := context.WithCancel(t.Context())
	begun := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.Install(gone, "2.21", InstallOptions{Wheelhouse: wheels}, func(Progress) { once.Do(func() { close(begun) }) })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
	})
	<-begun
	if infos, _ := s.List(); len(infos) != 1 || infos[0].State != Installing {
		t.Errorf("a runtime at work is listed as %+v", infos)
	}
	if err := s.Remove("2.21", func(string) error { return nil }); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("removing it gave %v", err)
	}
	for range 2 {
		wg.Go(func() {
			r, err := s.Install(t.Context(), "2.21", InstallOptions{Wheelhouse: wheels}, func(Progress) {})
			if err != nil {
				t.Error(err)
				return
			}
			ids <- r.ID
		})
	}
	leave()
	wg.Wait()
	if a, b := <-ids, <-ids; a != b {
		t.Error("two installs of one runtime")
	}
	if _, err := os.Stat(junk); err == nil {
		t.Error("the interrupted install was not cleared")
	}
	used := ml.Errorf(ml.FailedPrecondition, "in use")
	if err := s.Remove("2.21", func(string) error { return used }); !errors.Is(err, used) {
		t.Errorf("removing a used one gave %v", err)
	}
	if err := s.Remove("2.21", func(string) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := s.Get("2.21"); ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), "none is") {
		t.Errorf("got %v", err)
	}
}

func TestStore_Get(t *testing.T) {
	s := sharedStore(t)
	for _, version := range []string{"", "2.21", "2.20"} {
		if r, err := s.Get(version); err != nil || r.Name != "2.21" {
			t.Errorf("%q: %v, %v", version, r, err)
		}
	}
	for _, version := range []string{"1.15", "..", "../runtimes/2.21"} {
		_, err := s.Get(version)
		if ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), "installed: 2.21") {
			t.Errorf("%q: %v", version, err)
		}
	}
	t.Run("moved", func(t *testing.T) {
		moved := newStore(t, t.TempDir())
		os.Mkdir(moved.dir("2.21"), 0o755)
		b, _ := os.ReadFile(filepath.Join(s.dir("2.21"), recordFile))
		os.WriteFile(filepath.Join(moved.dir("2.21"), recordFile), b, 0o644)
		if _, err := moved.Get("2.21"); ml.KindOf(err) != ml.InvalidArgument {
			t.Errorf("a moved runtime gave %v", err)
		}
	})
}

func TestRuntime_CheckPython(t *testing.T) {
	r := &Runtime{Name: "2.21", Python: "3.11.2"}
	for version, ok := range map[string]bool{"": true, "3.11": true, "3.11.2": true, "3.1": false, "3.7": false} {
		if err := r.CheckPython("pythonVersion", version); (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestBuildEnvironment(t *testing.T) {
	s := sharedStore(t)
	t.Parallel()
	r, _ := s.Get("")
	build := func(t *testing.T, wheels ...wheeltest.Wheel) (*Environment, string, error) {
		dir := t.TempDir()
		var paths []string
		for _, w := range wheels {
			p, err := w.Write(dir)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, p)
		}
		key, err := Key(r, paths)
		if err != nil {
			t.Fatal(err)
		}
		spec := s.Spec(key, r, paths)
		// Nothing may be fetched in a test.
		spec.Index = "file:///nonexistent"
		var out bytes.Buffer
		err = BuildEnvironment(t.Context(), spec, &out, &out)
		e, err2 := s.Environment(key)
		if err2 != nil {
			t.Fatal(err2)
		}
		return e, out.String(), err
	}
	python := func(t *testing.T, e *Environment, args ...string) string {
		out, err := exec.Command(e.Interpreter(), args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	t.Run("layered", func(t *testing.T) {
		trainer := wheeltest.Trainer("import tensorflow; print(tensorflow.__version__, __file__)")
		trainer.Requires = []string{"tensorflow>=2.15"}
		e, out, err := build(t, trainer)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		got := python(t, e, "-m", "trainer.task")
		if !strings.HasPrefix(got, "2.21.0 "+e.Dir) {
			t.Errorf("the trainer said %q", got)
		}
	})
	t.Run("built once, unless interrupted", func(t *testing.T) {
		trainer := wheeltest.Trainer("print('once')")
		e, _, err := build(t, trainer)
		again, out, err2 := build(t, trainer)
		if err != nil || err2 != nil || again == nil || again.Built != e.Built || out != "" {
			t.Fatalf("%v, %v, %+v, %+v, %q", err, err2, e, again, out)
		}
		junk := filepath.Join(e.Dir, "junk")
		os.WriteFile(junk, nil, 0o644)
		os.Remove(filepath.Join(e.Dir, environmentFile))
		if _, _, err := build(t, trainer); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(junk); err == nil {
			t.Error("the interrupted build was not cleared")
		}
	})
	t.Run("conflict with the runtime", func(t *testing.T) {
		trainer := wheeltest.Trainer("")
		trainer.Requires = []string{"tensorflow<2.21"}
		e, out, err := build(t, trainer)
		if err == nil || e != nil || !strings.Contains(out, "ERROR:") || !strings.Contains(out, "tensorflow<2.21") {
			t.Errorf("%v, %+v, %s", err, e, out)
		}
	})
	t.Run("not an archive", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "trainer-0.1.tar.gz")
		os.WriteFile(path, []byte("not a tar"), 0o644)
		key, err := Key(r, []string{path})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := BuildEnvironment(t.Context(), s.Spec(key, r, []string{path}), &out, &out); err == nil || !strings.Contains(out.String(), "ERROR:") {
			t.Errorf("%v: %s", err, &out)
		}
	})
}

func TestBuildMain(t *testing.T) {
	t.Run("no spec", func(t *testing.T) {
		if code := BuildMain(t.Context(), filepath.Join(t.TempDir(), "none")); code != 1 {
			t.Errorf("exit status %d", code)
		}
	})
	t.Run("complete", func(t *testing.T) {
		s := sharedStore(t)
		r, _ := s.Get("")
		wheel, err := wheeltest.Trainer(fmt.Sprint("# ", t.Name())).Write(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		key, _ := Key(r, []string{wheel})
		specFile := filepath.Join(t.TempDir(), "spec.json")
		if _, err := s.BuildProcess(s.Spec(key, r, []string{wheel}), specFile); err != nil {
			t.Fatal(err)
		}
		if code := BuildMain(t.Context(), specFile); code != 0 {
			t.Errorf("exit status %d", code)
		}
		if e, err := s.Environment(key); err != nil || e == nil {
			t.Errorf("%v, %v", e, err)
		}
	})
}

// TestRealRuntime uses a runtime with the real TensorFlow: HEARTH_TEST_RUNTIMES
// names a folder of runtimes that holds 2.21.
func TestRealRuntime(t *testing.T) {
	dir := os.Getenv("HEARTH_TEST_RUNTIMES")
	if dir == "" {
		t.Skip("HEARTH_TEST_RUNTIMES is not set")
	}
	s, err := Open(Options{Dir: dir, Environments: t.TempDir(), Default: "2.21", Index: "file:///nonexistent"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Get("")
	if err != nil {
		t.Fatal(err)
	}
	pkg := sdist(t, time.Now(),
		"trainer-0.1/setup.py", "from setuptools import setup\nsetup(name='trainer', version='0.1', packages=['trainer'], install_requires=['tensorflow>=2.15', 'numpy'])\n",
		"trainer-0.1/trainer/__init__.py", "",
		"trainer-0.1/trainer/task.py", "import tensorflow as tf\nprint(int(tf.constant(20) + 1))\n")
	key, err := Key(r, []string{pkg})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := BuildEnvironment(t.Context(), s.Spec(key, r, []string{pkg}), &out, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	e, err := s.Environment(key)
	if err != nil || e == nil {
		t.Fatalf("%v, %v", e, err)
	}
	answer, err := exec.Command(e.Interpreter(), "-m", "trainer.task").Output()
	if err != nil || string(answer) != "21\n" {
		t.Errorf("the trainer said %q, %v", answer, err)
	}
}

// realRuntime gives a runtime with a real TensorFlow, and the store that it is in.
func realRuntime(t *testing.T, name string) (*Store, *Runtime) {
	t.Helper()
	dir := os.Getenv("HEARTH_TEST_RUNTIMES")
	if dir == "" {
		t.Skip("HEARTH_TEST_RUNTIMES is not set")
	}
	s, err := Open(Options{Dir: dir, Environments: t.TempDir(), Default: "2.21", Index: "file:///nonexistent"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func TestRealRuntime_TensorFlow1(t *testing.T) {
	_, r := realRuntime(t, "1.15")
	if !strings.HasPrefix(r.TensorFlow, "2.15.") || r.Base != "2.15" {
		t.Errorf("the record is %+v", r)
	}
	out, err := exec.Command(r.Interpreter(), "testdata/tensorflow1.py").CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "all of it runs\n") {
		t.Errorf("%v\n%s", err, lastLines(string(out), 30))
	}
}

func TestRealRuntime_Keras2(t *testing.T) {
	_, r := realRuntime(t, "2.21-keras2")
	cmd := exec.Command(r.Interpreter(), "-c", "import tensorflow as tf; print(tf.keras.Model.__module__)")
	for name, value := range r.Environment {
		cmd.Env = append(cmd.Environ(), name+"="+value)
	}
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "tf_keras") {
		t.Errorf("%s, %v", out, err)
	}
}

// Projects whose build backend is not setuptools are built apart.
func TestRealRuntime_BuildBackends(t *testing.T) {
	s, r := realRuntime(t, "2.21")
	s.o.Index = ""
	backends := map[string]string{
		"hatchling":   "hatchling.build",
		"flit_core":   "flit_core.buildapi",
		"poetry-core": "poetry.core.masonry.api",
		"setuptools":  "setuptools.build_meta",
	}
	var packages []string
	for _, requires := range slices.Sorted(maps.Keys(backends)) {
		name := "with_" + strings.ReplaceAll(requires, "-", "_")
		project := fmt.Sprintf("[build-system]\nrequires = [%q]\nbuild-backend = %q\n[project]\nname = %q\nversion = \"0.1\"\ndescription = \"x\"\n", requires, backends[requires], name)
		packages = append(packages, sdist(t, time.Now(), name+"-0.1/pyproject.toml", project, name+"-0.1/"+name+"/__init__.py", "\"\"\"x\"\"\"\n"))
		if apart, err := needsBackend(packages[len(packages)-1]); err != nil || apart != (requires != "setuptools") {
			t.Errorf("%s apart: %t, %v", requires, apart, err)
		}
	}
	key, err := Key(r, packages)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := BuildEnvironment(t.Context(), s.Spec(key, r, packages), &out, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	e, err := s.Environment(key)
	if err != nil || e == nil {
		t.Fatalf("%v, %v", e, err)
	}
	if out, err := exec.Command(e.Interpreter(), "-c", "import with_hatchling, with_flit_core, with_poetry_core, with_setuptools").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestStore_Collect(t *testing.T) {
	s := newStore(t, t.TempDir())
	old, now := time.Now().Add(-time.Hour), time.Now()
	make := func(name string, complete bool, used time.Time) string {
		dir := filepath.Join(s.o.Environments, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if complete {
			if err := publish(filepath.Join(dir, environmentFile), Environment{Key: name, Dir: dir}); err != nil {
				t.Fatal(err)
			}
			os.Chtimes(filepath.Join(dir, environmentFile), used, used)
		}
		os.Chtimes(dir, used, used)
		return dir
	}
	fresh, unused, half := make("fresh", true, now), make("unused", true, old), make("half", false, old)
	running, asked, building := make("running", true, old), make("asked", true, old), make("building", false, old)
	if e, err := s.Environment("asked"); e == nil || err != nil {
		t.Fatal(e, err)
	}
	unlock, err := lock(building + lockSuffix)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	removed, err := s.Collect(now.Add(-time.Minute), func(dir string) bool { return dir == running })
	if err != nil || removed != 2 {
		t.Errorf("removed %d, %v", removed, err)
	}
	for dir, stays := range map[string]bool{fresh: true, unused: false, half: false, running: true, asked: true, building: true} {
		if _, err := os.Stat(dir); (err == nil) != stays {
			t.Errorf("%s: %v", filepath.Base(dir), err)
		}
	}
}

func TestFindPython(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"3.8", "3.11", "3.14"} {
		_, minor, _ := strings.Cut(p, ".")
		if err := os.WriteFile(filepath.Join(dir, "python"+p), []byte("#!/bin/sh\necho 3 "+minor+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/bin")
	if p, err := findPython(t.Context(), "3.11", shipped["2.15"]); err != nil || p != "python3.11" {
		t.Errorf("%s, %v", p, err)
	}
	for _, unfit := range []string{"3.8", filepath.Join(dir, "python3.14")} {
		_, err := findPython(t.Context(), unfit, shipped["2.15"])
		if ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), "TensorFlow 2.15.1 needs Python 3.9 to 3.11") || !strings.Contains(err.Error(), "These fit: python3.11.") {
			t.Errorf("%s: %v", unfit, err)
		}
	}
	if _, err := findPython(t.Context(), "3.7", shipped["2.15"]); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("a missing one: %v", err)
	}
}
