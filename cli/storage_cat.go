package cli

import "github.com/urfave/cli/v2"

func storageCatCommand() *cli.Command {
	return &cli.Command{
		Name:      "cat",
		Usage:     "Write objects to standard output",
		ArgsUsage: "gs://BUCKET/OBJECT…",
		Description: `
Examples:

$ hearth storage cat gs://digits/jobs/digits_1/eval.json`,
		Action: func(c *cli.Context) error {
			given := append(c.Args().Slice(), tail(c)...)
			if len(given) == 0 {
				return misuse(c, "gs://BUCKET/OBJECT is missing")
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			for _, arg := range given {
				from, err := remoteLocation(c, arg)
				if err != nil {
					return err
				}
				if err := daemon.Download(c.Context, from.bucket, from.object, c.App.Writer); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
