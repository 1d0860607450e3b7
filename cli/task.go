package cli

import (
	"fmt"
	"os"

	"hearth/scheduler/process"
)

// taskMain is `hearth task DIR`: the shim of one supervised process.
func taskMain(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "hearth task: it is started by the daemon, with a folder")
		return exitUsage
	}
	return process.ShimMain(args[0])
}

// enterSandboxMain is `hearth enter-sandbox DIR PROGRAM`: what a shim starts in
// the place of a program that is kept to its own files.
func enterSandboxMain(args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "hearth enter-sandbox: it is started by hearth task")
		return exitUsage
	}
	return process.SandboxMain(args[0], args[1])
}
