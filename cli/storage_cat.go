package cli

import (
	"fmt"
	"regexp"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

var rangeForm = regexp.MustCompile(`^([0-9]+-[0-9]*|-[0-9]+)$`)

func storageCatCommand() *cli.Command {
	return &cli.Command{
		Name:      "cat",
		Usage:     "Write objects to standard output",
		ArgsUsage: "gs://BUCKET/OBJECT…",
		Description: namesHelp + `

Examples:

$ hearth storage cat gs://digits/jobs/digits_1/eval.json
$ hearth storage cat -d -r 0-99 'gs://digits/data/*.csv'
$ hearth storage cat -r -200 gs://digits/jobs/digits_1/log.txt   # the last 200 bytes`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "range", Aliases: []string{"r"}, Usage: "only the bytes `START-END`, START- or -COUNT"},
			&cli.BoolFlag{Name: "display-url", Aliases: []string{"d"}, Usage: "write the object's name in front of it"},
		},
		Action: func(c *cli.Context) error {
			if r := c.String("range"); r != "" && !rangeForm.MatchString(r) {
				return misuse(c, "--range %s: write START-END, START- or -COUNT", r)
			}
			at, err := readAtObjects(c)
			if err != nil {
				return err
			}
			objects, err := findObjects(at)
			if err != nil {
				return err
			}
			for _, o := range objects {
				if c.Bool("display-url") {
					fmt.Fprintf(c.App.Writer, "==> %s <==\n", o.URI())
				}
				request := client.DownloadRequest{Object: client.Object{Bucket: o.Bucket, Name: o.Name}, Range: c.String("range")}
				if err := at.daemon.Download(c.Context, request, c.App.Writer); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
