// Package crash lets a test kill the program at named points, so that what a
// restart makes of each of them can be tried on the real thing.
//
// It does nothing unless the environment variable HEARTH_CRASH_AT names a
// point when the program starts. docs/states.md lists the points.
package crash

import (
	"os"
	"syscall"
)

var at = os.Getenv("HEARTH_CRASH_AT")

// Point ends the process with SIGKILL, as a power cut would, if HEARTH_CRASH_AT
// is name. Otherwise it costs one comparison.
func Point(name string) {
	if at == "" || at != name {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
