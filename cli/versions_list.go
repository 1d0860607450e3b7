package cli

import (
	"github.com/urfave/cli/v2"

	"hearth/ml"
)

func versionsListCommand() *cli.Command {
	return &cli.Command{
		Name:      "list",
		Usage:     "List the versions of a model",
		ArgsUsage: "--model MODEL",
		Description: `
Examples:

$ hearth versions list --model digits`,
		Flags: []cli.Flag{modelFlag(), limitFlag()},
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			model, err := required(c, "model")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			versions, err := daemon.Versions(c.Context, model, c.Int("limit"))
			if err != nil {
				return err
			}
			return printList(c, versions,
				column[*ml.Version]{"NAME", func(v *ml.Version) string { return ml.LastSegment(v.Name) }},
				column[*ml.Version]{"DEPLOYMENT_URI", func(v *ml.Version) string { return v.DeploymentURI }},
				column[*ml.Version]{"STATE", func(v *ml.Version) string { return string(v.State) }},
			)
		},
	}
}
