package cli

import "github.com/urfave/cli/v2"

func versionsDeleteCommand() *cli.Command {
	return &cli.Command{
		Name:      "delete",
		Usage:     "Delete a version",
		ArgsUsage: "VERSION --model MODEL",
		Description: `The default version can be deleted only if it is the last one.

Examples:

$ hearth versions delete v1 --model digits --quiet`,
		Flags: []cli.Flag{modelFlag()},
		Action: func(c *cli.Context) error {
			model, name, daemon, err := atVersion(c)
			if err != nil {
				return err
			}
			if err := confirm(c, "This will delete version [%s] of model [%s].", name, model); err != nil {
				return err
			}
			operation, err := daemon.DeleteVersion(c.Context, model, name)
			if err != nil {
				return err
			}
			if err := waitFor(c, daemon, operation, "Deleting version"); err != nil {
				return err
			}
			notice(c, "Deleted version [%s] of model [%s].", name, model)
			return nil
		},
	}
}
