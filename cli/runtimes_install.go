package cli

import (
	"fmt"
	"path/filepath"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

func runtimesInstallCommand() *cli.Command {
	return &cli.Command{
		Name:      "install",
		Usage:     "Install a version of TensorFlow",
		ArgsUsage: "VERSION [--python PYTHON] [--wheelhouse DIR]",
		Description: `Jobs and versions name it as their runtime version. Beside the versions of TensorFlow there are 2.21-keras2 (Keras 2 on TensorFlow 2.21) and 1.15 (TensorFlow 1's names, tf.contrib included, on 2.15); a runtime that is layered on another installs that too.

Each TensorFlow is made for certain versions of Python; --python picks one. The packages come from the package index that pip is configured for, or, with --wheelhouse, from a folder of wheels on the daemon's machine and from nowhere else.

Examples:

$ hearth runtimes install 2.21
$ hearth runtimes install 1.15 --python 3.11
$ hearth runtimes install 2.21 --wheelhouse /media/usb/wheels`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "python", Usage: "the `PYTHON` to use, as a version such as 3.11 or a program on the daemon's machine"},
			&cli.StringFlag{Name: "wheelhouse", Usage: "`DIR` of wheels; nothing is downloaded"},
		},
		Action: func(c *cli.Context) error {
			name, err := word(c, "VERSION")
			if err != nil {
				return err
			}
			request := client.InstallRequest{Name: name, Python: c.String("python")}
			if dir := c.String("wheelhouse"); dir != "" {
				if request.Wheelhouse, err = filepath.Abs(dir); err != nil {
					return fmt.Errorf("find --wheelhouse: %w", err)
				}
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			show := &installProgress{c: c}
			runtime, err := daemon.InstallRuntime(c.Context, request, show.step)
			show.end()
			if err != nil {
				return err
			}
			notice(c, "Installed runtime [%s]: TensorFlow %s for Python %s.", runtime.Name, runtime.TensorFlow, runtime.Python)
			return printCreated(c, runtime)
		},
	}
}

// installProgress shows the steps of an install: a bar for each on a terminal,
// else a line for each.
type installProgress struct {
	c    *cli.Context
	last string
	bar  *progressbar.ProgressBar
}

func (p *installProgress) step(s ml.InstallProgress) {
	text := s.Phase
	if s.Package != "" {
		text += " " + s.Package
	}
	if s.Package == "" && s.Message != "" {
		text = s.Message
	}
	if text != p.last {
		p.end()
		p.last = text
		if showsProgress(p.c) {
			total := s.TotalBytes
			if total <= 0 {
				total = -1
			}
			p.bar = byteBar(p.c, total, text)
		} else {
			notice(p.c, "%s", text)
		}
	}
	if p.bar == nil {
		return
	}
	if s.TotalBytes > 0 && p.bar.GetMax64() != s.TotalBytes {
		p.bar.ChangeMax64(s.TotalBytes)
	}
	_ = p.bar.Set64(s.DoneBytes)
}

// end takes the bar of the last step away.
func (p *installProgress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	p.bar = nil
}
