package cli

import (
	"github.com/urfave/cli/v2"

	"hearth/ml"
)

func modelsListCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "List models",
		Description: `
Examples:

$ hearth models list`,
		Flags: []cli.Flag{limitFlag()},
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			models, err := daemon.Models(c.Context, c.Int("limit"))
			if err != nil {
				return err
			}
			return printList(c, models,
				column[*ml.Model]{"NAME", func(m *ml.Model) string { return ml.LastSegment(m.Name) }},
				column[*ml.Model]{"DEFAULT_VERSION_NAME", func(m *ml.Model) string {
					if m.DefaultVersion == nil {
						return ""
					}
					return ml.LastSegment(m.DefaultVersion.Name)
				}},
			)
		},
	}
}
