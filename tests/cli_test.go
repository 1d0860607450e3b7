package tests

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The command line against a real daemon, a story a file. All share one
// daemon, so each story keeps to buckets, jobs and models of its own.
func TestCLI_Stories(t *testing.T) {
	models := fromEnv(t, "HEARTH_TEST_MODELS")
	d := newDaemon(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("cli", "testdata"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(binary(t))+":"+os.Getenv("PATH"))
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("MODELS", models)
			for _, entry := range d.env() {
				if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "HEARTH_") || name == "XDG_STATE_HOME" || name == "NO_COLOR" {
					e.Setenv(name, value)
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": expectStatus},
	})
}

// expectStatus runs a command that must end with a status: status N COMMAND…
func expectStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("%v ended with %v, want status %d", args[1:], err, want)
	}
}
