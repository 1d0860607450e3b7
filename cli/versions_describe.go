package cli

import (
	"github.com/urfave/cli/v2"

	"hearth/ml"
)

// describedVersion is a version with what only this machine can tell of it.
type describedVersion struct {
	*ml.Version
	Session     string `json:"session,omitempty"`
	MemoryBytes int64  `json:"memoryBytes,omitempty"`
	Workers     []int  `json:"workers,omitempty"`
	Message     string `json:"message,omitempty"`
}

func versionsDescribeCommand() *cli.Command {
	return &cli.Command{
		Name:      "describe",
		Usage:     "Show a version",
		ArgsUsage: "VERSION --model MODEL",
		Description: `Beside what the API tells, session says how the worker runs the model: it tries out at its start how the session's threads and how many rows in a run are best for this model on this machine. memoryBytes is what the workers hold, whose process ids are workers; message says why none answers.

Examples:

$ hearth versions describe v1 --model digits`,
		Flags: []cli.Flag{modelFlag()},
		Action: func(c *cli.Context) error {
			model, name, daemon, err := atVersion(c)
			if err != nil {
				return err
			}
			version, err := daemon.Version(c.Context, model, name)
			if err != nil {
				return err
			}
			status, err := daemon.Status(c.Context)
			if err != nil {
				return err
			}
			described := describedVersion{Version: version}
			for _, s := range status.Versions {
				if s.Model == model && s.Version == name {
					described.Session, described.MemoryBytes, described.Workers = s.Session, s.MemoryBytes, s.PIDs
					if version.State == ml.VersionReady {
						described.Message = s.Message
					}
				}
			}
			return printValue(c, described)
		},
	}
}
