package cli

import (
	"bufio"
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

// atObjects is the arguments of a command on places in the bucket, and the
// daemon that has it.
type atObjects struct {
	c         *cli.Context
	daemon    *client.Client
	locations []location
}

// readAtObjects reads gs:// arguments, at least one.
func readAtObjects(c *cli.Context) (*atObjects, error) {
	given, err := several(c, 1, "gs://BUCKET/OBJECT")
	if err != nil {
		return nil, err
	}
	at := &atObjects{c: c}
	for _, arg := range given {
		l, err := remoteLocation(c, arg)
		if err != nil {
			return nil, err
		}
		at.locations = append(at.locations, l)
	}
	at.daemon, err = connect(c)
	return at, err
}

// several gives the arguments of a command that takes a number of them or more.
// With --read-paths-from-stdin, those on standard input come first.
func several(c *cli.Context, atLeast int, what string) ([]string, error) {
	if err := checkFormat(c); err != nil {
		return nil, err
	}
	var given []string
	if c.Bool("read-paths-from-stdin") {
		lines := bufio.NewScanner(c.App.Reader)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if lines.Text() != "" {
				given = append(given, lines.Text())
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
	}
	given = append(append(given, c.Args().Slice()...), tail(c)...)
	if len(given) < atLeast {
		return nil, misuse(c, "%s is missing", what)
	}
	return given, nil
}

// parallelFlag says how much is done at once.
func parallelFlag() cli.Flag {
	return &cli.IntFlag{Name: "parallel", Usage: "do `N` at a time (default: four for each processor, at most 8)"}
}

func parallel(c *cli.Context) int {
	if n := c.Int("parallel"); n > 0 {
		return n
	}
	return min(8, 4*runtime.NumCPU())
}

func recursiveFlag(usage string) cli.Flag {
	return &cli.BoolFlag{Name: "recursive", Aliases: []string{"r", "R"}, Usage: usage}
}

func stdinFlag() cli.Flag {
	return &cli.BoolFlag{Name: "read-paths-from-stdin", Aliases: []string{"I"}, Usage: "read sources from standard input as well, one a line"}
}

// oneObject reads the argument of a command on one object.
func oneObject(c *cli.Context) (location, *client.Client, error) {
	arg, err := word(c, "gs://BUCKET/OBJECT")
	if err != nil {
		return location{}, nil, err
	}
	at, err := remoteLocation(c, arg)
	if err != nil {
		return location{}, nil, err
	}
	if at.object == "" {
		return location{}, nil, misuse(c, "%s is a bucket: write gs://BUCKET/OBJECT", arg)
	}
	daemon, err := connect(c)
	return at, daemon, err
}
