package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

func storageMvCommand() *cli.Command {
	return &cli.Command{
		Name:      "mv",
		Usage:     "Move and rename files and objects",
		ArgsUsage: "SOURCE… DESTINATION",
		Description: `Names mean what they mean for cp. A source is deleted once its copy is whole. Folders are moved with all that is in them, and become the destination itself unless that ends in "/", is a bucket, or is a local folder.

Examples:

$ hearth storage mv gs://digits/data/digits.csv gs://digits/old/
$ hearth storage mv gs://digits/jobs/digits_1 gs://digits/jobs/best
$ hearth storage mv export gs://digits/models`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "no-clobber", Aliases: []string{"n"}, Usage: "leave what is at the destination already as it is"},
			parallelFlag(),
		}, attributeFlags()...),
		Action: func(c *cli.Context) error { return transferAll(c, true) },
	}
}

// removeEmptied deletes the folders that a move of local sources has left
// empty. A source written with "/" at its end stays itself.
func removeEmptied(sources []string) error {
	for _, source := range sources {
		roots := []string{source}
		if strings.HasPrefix(source, "gs://") {
			continue
		}
		if hasWildcard(source) {
			matches, err := localMatches(source)
			if err != nil {
				return err
			}
			roots = append(roots, matches...)
		}
		for _, root := range roots {
			var folders []string
			// What cannot be read is not empty.
			_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() && path != strings.TrimSuffix(source, "/")+"/" {
					folders = append(folders, path)
				}
				return nil
			})
			for _, folder := range slices.Backward(folders) {
				_ = os.Remove(folder) // fails, as it should, if something is in it
			}
		}
	}
	return nil
}
