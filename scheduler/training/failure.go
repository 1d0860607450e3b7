package training

import (
	"fmt"
	"strings"

	"hearth/ml"
)

// maxDetail bounds what of a log goes into an error message, in bytes.
const maxDetail = 4 << 10

// Failure says why a replica failed. stderr is the end of what it wrote there;
// limit is the most memory that it might use.
func Failure(r ml.Replica, exit ml.Exit, stderr string, limit int64) string {
	who := "The replica " + r.String() + " "
	switch {
	case exit.OutOfMemory:
		return who + fmt.Sprintf("ran out of memory (limit %s).", gib(limit))
	case exit.OutOfDisk:
		return who + "was ended: " + reason(exit, "its files took too much of the disk") + "."
	case exit.Lost:
		return who + "was lost: " + reason(exit, "nobody saw it end") + "."
	case exit.Code < 0:
		return who + "could not be started: " + reason(exit, "unknown cause") + "."
	}
	text := who + fmt.Sprintf("exited with a non-zero status of %d.", exit.Code)
	if exit.Signal != "" {
		text = who + fmt.Sprintf("was ended by %s (status %d).", exit.Signal, exit.Code)
	}
	if detail := traceback(stderr); detail != "" {
		text += " " + detail
	}
	return text
}

// EnvironmentFailure says why the packages could not be installed.
func EnvironmentFailure(exit ml.Exit, stderr string, limit int64) string {
	const what = "The trainer's packages could not be installed"
	switch {
	case exit.OutOfMemory:
		return what + fmt.Sprintf(": the installer ran out of memory (limit %s).", gib(limit))
	case exit.Lost, exit.Code < 0:
		return what + ": " + reason(exit, "the installer was lost") + "."
	}
	if why := pinned(stderr); why != "" {
		return what + ". " + why
	}
	return what + ". " + complaint(stderr)
}

func reason(exit ml.Exit, otherwise string) string {
	if exit.Reason == "" {
		return otherwise
	}
	return strings.TrimSuffix(exit.Reason, ".")
}

func gib(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

const tracebackHead = "Traceback (most recent call last):"

// traceback gives the last traceback in a log with all that follows it, or the
// last lines if there is none.
func traceback(stderr string) string {
	stderr = strings.TrimSpace(stderr)
	if i := strings.LastIndex(stderr, tracebackHead); i >= 0 {
		return shorten(stderr[i:])
	}
	return shorten(last(stderr, 10))
}

// complaint gives what pip says of an error: from the first line that speaks
// of one.
func complaint(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "error:") {
			return shorten(strings.TrimSpace(strings.Join(lines[i:], "\n")))
		}
	}
	return shorten(last(strings.TrimSpace(stderr), 10))
}

func last(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// shorten keeps the first line, which says what it is, and the end, which says
// what is wrong.
func shorten(text string) string {
	if len(text) <= maxDetail {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	head, _, _ := strings.Cut(text, "\n")
	head = head[:min(len(head), maxDetail/4)]
	end := text[len(text)-(maxDetail-len(head)-len("\n...\n")):]
	if _, rest, ok := strings.Cut(end, "\n"); ok && rest != "" {
		end = rest
	}
	return strings.ToValidUTF8(head+"\n...\n"+end, "\uFFFD")
}
