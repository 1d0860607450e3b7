package cli

import "github.com/urfave/cli/v2"

func modelsDeleteCommand() *cli.Command {
	return &cli.Command{
		Name:      "delete",
		Usage:     "Delete a model that has no versions",
		ArgsUsage: "MODEL",
		Description: `
Examples:

$ hearth models delete digits --quiet`,
		Action: func(c *cli.Context) error {
			name, err := word(c, "MODEL")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			if err := confirm(c, "This will delete model [%s].", name); err != nil {
				return err
			}
			operation, err := daemon.DeleteModel(c.Context, name)
			if err != nil {
				return err
			}
			if err := waitFor(c, daemon, operation, "Deleting model"); err != nil {
				return err
			}
			notice(c, "Deleted model [%s].", name)
			return nil
		},
	}
}
