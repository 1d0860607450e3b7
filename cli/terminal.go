package cli

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Colours, as the SGR parameter that switches them on.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
)

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colour wraps text in a colour if w is a terminal and NO_COLOR is not set.
func colour(w io.Writer, code, text string) string {
	if code == "" || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !isTerminal(w) {
		return text
	}
	return fmt.Sprintf("\x1b[%sm%s\x1b[0m", code, text)
}

// stateColours are the colours of states, severities and the like.
var stateColours = map[string]string{
	"SUCCEEDED": green, "READY": green, "OK": green,
	"RUNNING": blue, "PREPARING": blue, "CREATING": blue, "INSTALLING": blue,
	"QUEUED": yellow, "CANCELLING": yellow, "CANCELLED": yellow, "DELETING": yellow, "WARNING": yellow,
	"FAILED": red, "BROKEN": red, "ERROR": red, "CRITICAL": red,
}
