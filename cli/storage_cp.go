package cli

import (
	"slices"

	"github.com/urfave/cli/v2"
)

// namesHelp says what names on the command line mean.
const namesHelp = `In names, "*" stands for any characters but a slash, "**" for any at all, "?" for one, and "[a-z]" for one of these.`

func storageCpCommand() *cli.Command {
	return &cli.Command{
		Name:      "cp",
		Usage:     "Copy files and objects, in any direction",
		ArgsUsage: "[-r] SOURCE… DESTINATION",
		Description: `SOURCE and DESTINATION are local paths, gs://BUCKET/OBJECT, or "-" for the standard streams. ` + namesHelp + `

A destination that ends in "/", is a bucket, or is a local folder takes the source in under its own name; any other becomes the copy itself. A folder is copied with -r, under its own name below the destination; written with "/" at its end, only what is in it is copied.

What is copied is compared with its checksum. Objects of 150 MiB and more come in parts, several at once; files of that size go in parts if the daemon is on another machine, or with --parallel. A copy that was interrupted goes on where it was when the same command is given again.

Examples:

$ hearth storage cp digits.csv.gz gs://digits/data/
$ hearth storage cp -r export gs://digits/models
$ hearth storage cp -r gs://digits/jobs/digits_1/export/ ./export
$ hearth storage cp 'gs://digits/jobs/**/eval.json' gs://digits/evals/ --no-clobber
$ hearth storage cp gs://digits/data/digits.csv.gz - | zcat | head
$ find . -name '*.csv' | hearth storage cp -I gs://digits/data/`,
		Flags: append([]cli.Flag{
			recursiveFlag("copy folders with all that is in them"),
			&cli.BoolFlag{Name: "no-clobber", Aliases: []string{"n"}, Usage: "leave what is at the destination already as it is"},
			stdinFlag(), parallelFlag(),
		}, attributeFlags()...),
		Action: func(c *cli.Context) error { return transferAll(c, false) },
	}
}

// transferAll is cp and mv.
func transferAll(c *cli.Context, move bool) error {
	given, err := several(c, 2, "SOURCE or DESTINATION")
	if err != nil {
		return err
	}
	daemon, err := connect(c)
	if err != nil {
		return err
	}
	job, err := newCopier(c, daemon)
	if err != nil {
		return err
	}
	p, err := newPlanner(c, daemon, given[len(given)-1])
	if err != nil {
		return err
	}
	if job.move = move; move {
		p.recursive, p.rename = true, true
	}
	sources := given[:len(given)-1]
	if move && slices.Contains(given, "-") {
		return misuse(c, "standard streams cannot be moved: use cp")
	}
	plan, err := p.sources(sources)
	if err != nil {
		return err
	}
	if err := job.run(plan); err != nil || !move {
		return err
	}
	return removeEmptied(sources)
}
