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
