package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// Version is the program's version; the build sets it.
var Version = "dev"

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "Show the version of this program",
		Description: `
Examples:

$ hearth version`,
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			v := struct {
				Version string `json:"version"`
				Commit  string `json:"commit,omitempty"`
				Go      string `json:"go"`
			}{Version, commit(), runtime.Version()}
			if c.String("format") != "" {
				return printValue(c, v)
			}
			line := fmt.Sprintf("hearth %s, %s %s/%s", v.Version, v.Go, runtime.GOOS, runtime.GOARCH)
			if v.Commit != "" {
				line += ", commit " + v.Commit
			}
			fmt.Fprintln(c.App.Writer, line)
			return nil
		},
	}
}

// commit gives the commit that the program was built from, if the build knew.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
