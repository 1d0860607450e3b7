package cli

import (
	"context"
	"fmt"
	"os"

	"hearth/scheduler/runtimes"
)

// buildEnvironmentMain is `hearth build-environment FILE`: the installer of a
// job's packages.
func buildEnvironmentMain(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "hearth build-environment: it is started by the daemon, with a file")
		return exitUsage
	}
	return runtimes.BuildMain(context.Background(), args[0])
}
