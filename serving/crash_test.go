package serving_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hearth/ml"
)

// TestCrash_Child is the daemon that TestManager_Crash kills: it creates a
// version and deletes it again, in the folder that the environment names.
func TestCrash_Child(t *testing.T) {
	dir := os.Getenv("CRASH_TEST_DIR")
	if dir == "" {
		t.Skip("run by TestManager_Crash")
	}
	h := openHouse(t, dir)
	r := h.start()
	r.create("m", "v1", os.Getenv("CRASH_TEST_MODEL"))
	op, err := r.DeleteVersion(t.Context(), "hearth", "m", "v1")
	if err != nil {
		t.Fatal(err)
	}
	h.finished(op)
	t.Fatal("it was not killed")
}

// At whichever point the daemon dies, the next one finishes what was begun,
// with one worker, or without one.
func TestManager_Crash(t *testing.T) {
	for point, tc := range map[string]struct {
		model string
		state ml.VersionState // empty if the version is gone in the end
	}{
		"version-created":  {"half_plus_two", ml.VersionReady},
		"version-copied":   {"half_plus_two", ml.VersionReady},
		"worker-numbered":  {"half_plus_two", ml.VersionReady},
		"worker-started":   {"half_plus_two", ml.VersionReady},
		"version-loaded":   {"half_plus_two", ml.VersionReady},
		"version-failed":   {"rubbish", ml.VersionFailed},
		"version-deleting": {"half_plus_two", ""},
		"version-removed":  {"half_plus_two", ""},
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			child := exec.Command(os.Args[0], "-test.run=^TestCrash_Child$")
			child.Env = append(os.Environ(), "HEARTH_CRASH_AT="+point, "CRASH_TEST_DIR="+dir, "CRASH_TEST_MODEL="+tc.model)
			out, err := child.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the daemon ended with %v\n%s", err, out)
			}

			h := openHouse(t, dir)
			r := h.start()
			ops, _, err := h.db.Operations("hearth", 0, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, op := range ops {
				h.finished(op)
			}
			if got := r.status("m", "v1").State; got != tc.state {
				t.Errorf("the version is %q, want %q", got, tc.state)
			}
			switch tc.state {
			case ml.VersionReady:
				r.wants("m", "", 1, 2.5)
			case ml.VersionFailed:
				r.refuses("m", "v1", ml.FailedPrecondition)
				op, err := r.DeleteVersion(t.Context(), "hearth", "m", "v1")
				if err != nil {
					t.Fatal(err)
				}
				h.finished(op)
			default:
				r.refuses("m", "v1", ml.NotFound)
			}
			want := 0
			if tc.state == ml.VersionReady {
				want = 1
			}
			if got := h.alive(); got != want {
				t.Errorf("%d workers are alive, want %d", got, want)
			}
		})
	}
}

// alive counts the workers whose processes run.
func (h *house) alive() int {
	h.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		h.t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		args, _ := os.ReadFile(file) // gone meanwhile: not alive
		if strings.Contains(string(args), "\x00model-worker\x00") && strings.Contains(string(args), h.dir+"/") {
			n++
		}
	}
	return n
}
