// Command hearth is Cloud Machine Learning Engine on one machine: the daemon,
// its child processes and the command line that talks to it.
package main

import (
	"os"

	"hearth/cli"
)

func main() { os.Exit(cli.Main()) }
