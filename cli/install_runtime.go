package cli

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"hearth/scheduler/runtimes"
)

// installRuntimeMain is `hearth install-runtime --dir DIR VERSION`: it installs
// a runtime without a daemon, for the tests' set-up.
func installRuntimeMain(args []string) int {
	flags := flag.NewFlagSet("install-runtime", flag.ContinueOnError)
	dir := flags.String("dir", "", "folder of the runtimes")
	wheelhouse := flags.String("wheelhouse", "", "folder of wheels")
	python := flags.String("python", "", "the Python to use")
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 || *dir == "" {
		fmt.Fprintln(os.Stderr, "hearth install-runtime: write --dir DIR VERSION")
		return exitUsage
	}
	if err := installRuntime(*dir, flags.Arg(0), runtimes.InstallOptions{Wheelhouse: *wheelhouse, Python: *python}); err != nil {
		return report(os.Stderr, err)
	}
	return exitOK
}

func installRuntime(dir, version string, o runtimes.InstallOptions) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the folder of the runtimes: %w", err)
	}
	store, err := runtimes.Open(runtimes.Options{
		Dir: dir, Environments: filepath.Join(filepath.Dir(dir), "environments"), Default: version, Log: zerolog.New(os.Stderr),
	})
	if err != nil {
		return err
	}
	last := ""
	_, err = store.Install(context.Background(), version, o, func(p runtimes.Progress) {
		if text := p.Phase + " " + p.Package; text != last {
			last = text
			fmt.Fprintln(os.Stderr, text)
		}
	})
	return err
}
