package cli

import (
	"github.com/urfave/cli/v2"

	"hearth/ml"
)

func modelsCreateCommand() *cli.Command {
	return &cli.Command{
		Name:      "create",
		Usage:     "Create a model",
		ArgsUsage: "MODEL",
		Description: `A model holds versions; it answers nothing before it has one.

Examples:

$ hearth models create digits --description "handwritten digits"`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "regions", Usage: "kept with the model; `REGION` means nothing on one machine"},
			&cli.StringFlag{Name: "description", Usage: "`TEXT` about the model"},
			&cli.StringSliceFlag{Name: "labels", Usage: "`KEY=VALUE`,KEY=VALUE…"},
			&cli.BoolFlag{Name: "enable-logging", Usage: "log predictions"},
			&cli.BoolFlag{Name: "enable-console-logging", Usage: "log what the model's process prints"},
		},
		Action: func(c *cli.Context) error {
			name, err := word(c, "MODEL")
			if err != nil {
				return err
			}
			labels, err := pairs(c, "labels")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			model, err := daemon.CreateModel(c.Context, &ml.Model{
				Name:                           name,
				Description:                    c.String("description"),
				Regions:                        c.StringSlice("regions"),
				Labels:                         labels,
				OnlinePredictionLogging:        c.Bool("enable-logging"),
				OnlinePredictionConsoleLogging: c.Bool("enable-console-logging"),
			})
			if err != nil {
				return err
			}
			notice(c, "Created model [%s].", model.Name)
			return printCreated(c, model)
		},
	}
}

// printCreated writes a new thing for programs; people have been told already.
func printCreated(c *cli.Context, v any) error {
	if c.String("format") == "" {
		return nil
	}
	return printValue(c, v)
}
