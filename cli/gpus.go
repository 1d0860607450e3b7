package cli

import (
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"hearth/ml"
)

func gpusListCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "List GPUs, and the instances of those that are divided",
		Description: `STATE is free, leased by a job or a version, or why the device cannot be leased.

Examples:

$ hearth gpus list
$ hearth gpus list --format json`,
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			status, err := daemon.Status(c.Context)
			if err != nil {
				return err
			}
			if status.GPUError != "" {
				notice(c, "The NVIDIA driver is there and fails: %s", status.GPUError)
			}
			return printList(c, status.Devices,
				column[ml.Device]{"GPU", func(d ml.Device) string { return strconv.Itoa(d.Index) }},
				column[ml.Device]{"UUID", func(d ml.Device) string { return d.UUID }},
				column[ml.Device]{"NAME", func(d ml.Device) string { return d.Name }},
				column[ml.Device]{"MEMORY", func(d ml.Device) string {
					return byteText(float64(d.UsedBytes)) + " of " + byteText(float64(d.MemoryBytes))
				}},
				column[ml.Device]{"UTILIZATION", func(d ml.Device) string {
					if d.Utilization == nil {
						return ""
					}
					return fmt.Sprintf("%.0f %%", *d.Utilization)
				}},
				column[ml.Device]{"STATE", deviceState})
		},
	}
}

func deviceState(d ml.Device) string {
	switch {
	case d.Unfit != "":
		return d.Unfit
	case d.Health != "OK":
		return d.Health
	case d.Holder != "":
		return "leased by " + d.Holder
	}
	return "free"
}

func gpusClearCommand() *cli.Command {
	return &cli.Command{
		Name:      "clear",
		Usage:     "Use a GPU again that an error has condemned",
		ArgsUsage: "UUID",
		Description: `After errors of its own a device gets no jobs until somebody has looked at it.

Examples:

$ hearth gpus clear GPU-4cf8db2d-06c0-7d70-1a51-e59b25b2c16c`,
		Action: func(c *cli.Context) error {
			uuid, err := word(c, "UUID")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			if err := daemon.ClearGPU(c.Context, uuid); err != nil {
				return err
			}
			notice(c, "GPU [%s] can be used again.", uuid)
			return nil
		},
	}
}
