package cli

import "github.com/urfave/cli/v2"

func runtimesRemoveCommand() *cli.Command {
	return &cli.Command{
		Name:      "remove",
		Usage:     "Remove a version of TensorFlow",
		ArgsUsage: "VERSION",
		Description: `A runtime that a version of a model or an unfinished job uses stays.

Examples:

$ hearth runtimes remove 2.15`,
		Action: func(c *cli.Context) error {
			name, err := word(c, "VERSION")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			if err := confirm(c, "This will remove runtime [%s].", name); err != nil {
				return err
			}
			if err := daemon.RemoveRuntime(c.Context, name); err != nil {
				return err
			}
			notice(c, "Removed runtime [%s].", name)
			return nil
		},
	}
}
