package runtimes

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"hearth/ml"
)

// pythonVersionPattern matches a request for a version rather than a program.
var pythonVersionPattern = regexp.MustCompile(`^3\.[0-9]{1,2}$`)

// findPython finds the interpreter that a runtime is to be made with and checks
// that TensorFlow has wheels for it. wanted is a program or a version such as
// 3.11.
func findPython(ctx context.Context, wanted string, d declaration) (program string, err error) {
	program = wanted
	if pythonVersionPattern.MatchString(wanted) {
		program = "python" + wanted
	}
	if _, err := exec.LookPath(program); err != nil {
		return "", ml.Errorf(ml.FailedPrecondition, "There is no %s on this machine: install Python (on Debian: apt install python3-venv), or name another one with --python or in runtimes.python.%s",
			program, fitting(ctx, d))
	}
	version, err := pythonVersion(ctx, program)
	if err != nil {
		return "", ml.Errorf(ml.FailedPrecondition, "%s does not run: %s.", program, err)
	}
	fit, known := d.pythons()
	if known && (version[0] != 3 || version[1] < fit[0] || version[1] > fit[1]) {
		return "", ml.Errorf(ml.InvalidArgument, "TensorFlow %s needs Python 3.%d to 3.%d, and %s is %d.%d.%s",
			strings.TrimSuffix(d.tensorflow, ".*"), fit[0], fit[1], program, version[0], version[1], fitting(ctx, d))
	}
	return program, nil
}

// checkInterpreter refuses a Python other than the one that the runtime has.
func (r *Runtime) checkInterpreter(ctx context.Context, wanted string) error {
	if pythonVersionPattern.MatchString(wanted) {
		return r.CheckPython("python", wanted)
	}
	v, err := pythonVersion(ctx, wanted)
	if err != nil {
		return ml.Errorf(ml.FailedPrecondition, "%s does not run: %s.", wanted, err)
	}
	return r.CheckPython("python", fmt.Sprintf("%d.%d", v[0], v[1]))
}

// fitting names the interpreters of this machine that would do.
func fitting(ctx context.Context, d declaration) string {
	fit, known := d.pythons()
	if !known {
		return ""
	}
	var names []string
	for minor := fit[1]; minor >= fit[0]; minor-- {
		name := fmt.Sprintf("python3.%d", minor)
		if v, err := pythonVersion(ctx, name); err == nil && v == [2]int{3, minor} {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return " There is none that fits on this machine's PATH."
	}
	return fmt.Sprintf(" These fit: %s. Choose one with --python.", strings.Join(names, ", "))
}

func pythonVersion(ctx context.Context, program string) (version [2]int, err error) {
	if _, err := exec.LookPath(program); err != nil {
		return version, err
	}
	out, err := runTool(ctx, []string{program, "-c", "import sys; print(*sys.version_info[:2])"}, nil)
	if err != nil {
		return version, fmt.Errorf("%w: %s", err, lastLines(out, 3))
	}
	_, err = fmt.Sscan(out, &version[0], &version[1])
	return version, err
}
