package cli

import (
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

func runtimesExportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "Write a runtime with its wheels to a file, for a machine without a network",
		ArgsUsage: "VERSION FILE",
		Description: `FILE is on the daemon's machine. What a runtime is layered on goes with it. hearth runtimes import makes the runtime of it where there is the same version of Python.

Examples:

$ hearth runtimes export 2.15 /media/usb/tensorflow-2.15.tar`,
		Action: func(c *cli.Context) error {
			given, err := words(c, "VERSION", "FILE")
			if err != nil {
				return err
			}
			file, err := filepath.Abs(given[1])
			if err != nil {
				return fmt.Errorf("find FILE: %w", err)
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			show := &installProgress{c: c}
			err = daemon.ExportRuntime(c.Context, given[0], client.Archive{File: file}, show.step)
			show.end()
			if err != nil {
				return err
			}
			notice(c, "Exported runtime [%s] to %s.", given[0], file)
			return nil
		},
	}
}

func runtimesImportCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "Make a runtime of a file that export has written",
		ArgsUsage: "FILE [--python PYTHON]",
		Description: `FILE is on the daemon's machine. Nothing is downloaded.

Examples:

$ hearth runtimes import /media/usb/tensorflow-2.15.tar`,
		Flags: []cli.Flag{&cli.StringFlag{Name: "python", Usage: "the `PYTHON` to use; else one of the version that the wheels are for is looked for"}},
		Action: func(c *cli.Context) error {
			given, err := word(c, "FILE")
			if err != nil {
				return err
			}
			file, err := filepath.Abs(given)
			if err != nil {
				return fmt.Errorf("find FILE: %w", err)
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			show := &installProgress{c: c}
			runtime, err := daemon.ImportRuntime(c.Context, client.Archive{File: file, Python: c.String("python")}, show.step)
			show.end()
			if err != nil {
				return err
			}
			notice(c, "Installed runtime [%s]: TensorFlow %s for Python %s.", runtime.Name, runtime.TensorFlow, runtime.Python)
			return printCreated(c, runtime)
		},
	}
}
