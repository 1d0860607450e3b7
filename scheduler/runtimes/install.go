package runtimes

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"hearth/ml"
)

var (
	namePattern    = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)
	versionPattern = regexp.MustCompile(`^([0-9]+)\.([0-9]+)(\.[0-9]+)?$`)
)

// InstallOptions say how one install differs.
type InstallOptions struct {
	// Wheelhouse is a folder with all wheels that are needed. If it is set,
	// nothing is downloaded.
	Wheelhouse string
	// Python is the interpreter to use, as a program or a version such as 3.11;
	// empty for the store's.
	Python string
}

// installation is one install at work.
type installation struct {
	*Store
	declaration
	name string
	dir  string
	// base is the runtime to be layered on, nil for none.
	base *Runtime
	// python is what to make the runtime with, where there is no base.
	python string
	// wheels is the folder that packages come from, if not from the index.
	wheels string
	report func(Progress)
	// rawProgress is true if this pip can report bytes.
	rawProgress bool
}

// run makes the runtime from nothing.
func (in *installation) run(ctx context.Context) (*Runtime, error) {
	if err := in.checkTools(ctx); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(in.dir); err != nil {
		return nil, fmt.Errorf("clear %s: %w", in.dir, err)
	}
	for _, step := range []func(context.Context) error{in.makeVenv, in.upgradePip, in.pipInstall, in.freeze} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	r, err := in.verify(ctx)
	if err != nil {
		return nil, err
	}
	if err := syncAll(in.dir); err != nil {
		return nil, fmt.Errorf("write the runtime to disk: %w", err)
	}
	return r, publish(filepath.Join(in.dir, recordFile), r)
}

func (in *installation) checkTools(ctx context.Context) error {
	if in.base == nil {
		python, err := findPython(ctx, in.python, in.declaration)
		if err != nil {
			return err
		}
		in.python = python
	}
	if in.wheels == "" {
		return nil
	}
	if st, err := os.Stat(in.wheels); err != nil || !st.IsDir() {
		return ml.Errorf(ml.InvalidArgument, "The wheelhouse %s is not a folder on the daemon's machine.", in.wheels)
	}
	if wheels, _ := filepath.Glob(filepath.Join(in.wheels, "tensorflow-*.whl")); in.base == nil && len(wheels) == 0 {
		return in.missing("tensorflow", nil)
	}
	return nil
}

func (in *installation) makeVenv(ctx context.Context) error {
	in.report(Progress{Phase: PhasePrepare, Message: "making a Python environment"})
	if in.base != nil {
		return in.layer(ctx)
	}
	out, err := runTool(ctx, []string{in.python, "-m", "venv", in.dir}, nil)
	if err == nil {
		return nil
	}
	if strings.Contains(out, "ensurepip is not available") {
		return ml.Errorf(ml.FailedPrecondition, "This machine's Python cannot make environments: install its venv module (on Debian: apt install python3-venv).")
	}
	return fmt.Errorf("make a virtual environment: %w: %s", err, out)
}

// layer makes an environment that has what its base has.
func (in *installation) layer(ctx context.Context) error {
	if out, err := runTool(ctx, []string{in.base.Interpreter(), "-m", "venv", "--without-pip", in.dir}, nil); err != nil {
		return fmt.Errorf("make a virtual environment: %w: %s", err, out)
	}
	site, err := layer(in.dir, in.base)
	if err == nil && in.shim != "" {
		err = installShim(site, in.shim)
	}
	return err
}

// upgradePip brings pip, which may be as old as the system, up to date. A
// wheelhouse need not have it: the old one installs too, only with less to tell.
func (in *installation) upgradePip(ctx context.Context) error {
	if in.base != nil {
		return nil
	}
	if wheels, _ := filepath.Glob(filepath.Join(in.wheels, "pip-*.whl")); in.wheels == "" || len(wheels) > 0 {
		in.report(Progress{Phase: PhasePrepare, Message: "updating pip"})
		args := in.pip("install", "--quiet", "--upgrade", "pip")
		if out, err := runTool(ctx, args, nil); err != nil && ctx.Err() == nil {
			in.o.Log.Info().Str("runtime", in.name).Str("output", out).Msg("pip stays as it is")
		}
	}
	out, err := runTool(ctx, in.pip("--version"), nil)
	if err != nil {
		return fmt.Errorf("ask pip for its version: %w: %s", err, out)
	}
	in.rawProgress = pipReportsBytes(out)
	return ctx.Err()
}

// pip gives a command line of the runtime's own pip. Options of install follow
// the subcommand.
func (in *installation) pip(command string, args ...string) []string {
	line := []string{filepath.Join(in.dir, "bin", "python"), "-m", "pip", command}
	if command == "install" {
		line = append(line, "--no-input", "--disable-pip-version-check", "--no-warn-script-location")
		switch {
		case in.wheels != "":
			line = append(line, "--no-index", "--find-links", in.wheels)
		case in.o.Index != "":
			line = append(line, "--index-url", in.o.Index)
		}
	}
	return append(line, args...)
}

func (in *installation) pipInstall(ctx context.Context) error {
	bar := "off"
	if in.rawProgress {
		bar = "raw"
	}
	parse := progressParser{report: in.report}
	args := append(in.pip("install", "--prefer-binary", "--progress-bar", bar), in.requirements()...)
	out, err := runTool(ctx, args, parse.line)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return in.explain(out, err)
}

// requirements are what pip installs.
func (in *installation) requirements() []string {
	if in.base != nil {
		return append([]string{"--constraint", filepath.Join(in.base.Dir, constraintsFile)}, in.packages...)
	}
	return slices.Concat([]string{in.requirement(in.o.CUDA)}, in.packages, in.companions())
}

// companions are packages that trainers expect beside TensorFlow: until 2.20 it
// brought TensorBoard along, which Keras' callback and tf.summary need. A
// wheelhouse need not have it.
func (in *installation) companions() []string {
	const tensorboard = "tensorboard"
	if in.wheels != "" {
		if wheels, _ := filepath.Glob(filepath.Join(in.wheels, tensorboard+"-*.whl")); len(wheels) == 0 {
			return nil
		}
	}
	return []string{tensorboard}
}

var missingPattern = regexp.MustCompile(`No matching distribution found for (\S+)`)

// explain turns pip's complaint into ours.
func (in *installation) explain(out string, err error) error {
	what := strings.Join(in.requirements(), " ")
	cause := fmt.Errorf("pip install %s: %w", what, err)
	m := missingPattern.FindStringSubmatch(out)
	if in.wheels != "" && m != nil {
		return in.missing(m[1], cause)
	}
	message := fmt.Sprintf("pip could not install %s: %s", what, errorLines(out))
	if in.wheels == "" {
		message += "\nWithout a network, install from a folder of wheels: hearth runtimes install VERSION --wheelhouse DIR"
	}
	return &ml.Error{Kind: ml.FailedPrecondition, Message: message, Err: cause}
}

func (in *installation) missing(wheel string, cause error) error {
	return &ml.Error{Kind: ml.FailedPrecondition, Err: cause, Message: fmt.Sprintf(
		"The wheelhouse %s has no wheel for %s that fits this machine's Python. On a machine with the same Python and a network, fill it with: pip download -d WHEELHOUSE %s setuptools wheel; or with hearth runtimes export, and import it here",
		in.wheels, wheel, in.names())}
}

// names lists everything that a wheelhouse must have, for a command line.
func (in *installation) names() string {
	var names []string
	for d := in.declaration; ; d = shipped[d.base] {
		if d.base == "" {
			return strings.Join(append(names, "'"+d.requirement(in.o.CUDA)+"'", "tensorboard"), " ")
		}
		for _, p := range d.packages {
			names = append(names, "'"+p+"'")
		}
	}
}

// freeze notes the versions that the runtime has: what a trainer brings along
// must get on with them.
func (in *installation) freeze(ctx context.Context) error {
	out, err := runTool(ctx, in.pip("freeze", "--disable-pip-version-check"), nil)
	if err != nil {
		return fmt.Errorf("list the installed packages: %w: %s", err, out)
	}
	var pins []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "==") {
			pins = append(pins, line)
		}
	}
	return os.WriteFile(filepath.Join(in.dir, constraintsFile), []byte(strings.Join(pins, "")), 0o644)
}

const describeScript = `
import json, platform, sysconfig, os
import tensorflow
from importlib import metadata
try:
    version = metadata.version("tensorflow")
except metadata.PackageNotFoundError:
    version = tensorflow.__version__
print("\n" + json.dumps({
    "python": platform.python_version(),
    "sitePackages": sysconfig.get_paths()["purelib"],
    "tensorflow": version,
    "tensorflowDir": os.path.dirname(tensorflow.__file__),
}))
`

// verify imports TensorFlow once, which also leaves its byte code behind.
func (in *installation) verify(ctx context.Context) (*Runtime, error) {
	in.report(Progress{Phase: PhaseVerify, Package: "tensorflow", Message: "importing TensorFlow"})
	python := filepath.Join(in.dir, "bin", "python")
	out, err := runTool(ctx, []string{python, "-c", describeScript}, nil, in.variables()...)
	if err != nil {
		return nil, &ml.Error{Kind: ml.FailedPrecondition, Message: "TensorFlow was installed but cannot be imported: " + lastLines(out, 10), Err: err}
	}
	out = strings.TrimSpace(out)
	r := &Runtime{
		Name: in.name, ID: rand.Text(), Dir: in.dir, Base: in.declaration.base,
		Environment: in.environment, Installed: ml.At(time.Now()),
	}
	if err := json.Unmarshal([]byte(out[strings.LastIndexByte(out, '\n')+1:]), r); err != nil {
		return nil, fmt.Errorf("read the runtime's description: %w", err)
	}
	r.SizeBytes, err = folderSize(in.dir)
	return r, err
}

// variables are those of the runtime's jobs.
func (in *installation) variables() []string {
	var env []string
	for name, value := range in.environment {
		env = append(env, name+"="+value)
	}
	return env
}

func folderSize(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		st, err := d.Info()
		if err == nil {
			size += st.Size()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return size, err
}
