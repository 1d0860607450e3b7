package training

import (
	"fmt"
	"regexp"
	"strings"
)

// What pip says of requirements that cannot be met.
var (
	askPattern     = regexp.MustCompile(`(?m)^\s*(\S+) (\S+) depends on (\S.*)$`)
	havePattern    = regexp.MustCompile(`(?m)^\s*The user requested \(constraint\) ([A-Za-z0-9._-]+)==(\S+)`)
	missingPattern = regexp.MustCompile(`(?m)^ERROR: Could not find a version that satisfies the requirement (\S+?)(?: \(from (\S+?)\))? \(from versions: ([^)]*)\)`)
	offlinePattern = regexp.MustCompile(`(?m)Failed to establish a new connection|Temporary failure in name resolution|Name or service not known|Network is unreachable|NewConnectionError|NameResolutionError|Errno -[23]|No such file or directory: .*simple`)
	namePattern    = regexp.MustCompile(`^[A-Za-z0-9._-]+`)
)

// pinned says in a sentence which requirement cannot be met and what there is,
// empty if pip failed of something else.
func pinned(stderr string) string {
	for _, have := range havePattern.FindAllStringSubmatch(stderr, -1) {
		for _, ask := range askPattern.FindAllStringSubmatch(stderr, -1) {
			if sameProject(namePattern.FindString(ask[3]), have[1]) {
				return fmt.Sprintf("%s %s asks for %s; the runtime has %s %s, which its TensorFlow needs. Allow that version, or choose another runtime.",
					ask[1], ask[2], strings.TrimSpace(ask[3]), have[1], have[2])
			}
		}
	}
	m := missingPattern.FindStringSubmatch(stderr)
	if m == nil {
		return ""
	}
	who := "A package"
	if m[2] != "" {
		who = m[2]
	}
	switch there := strings.Split(m[3], ", "); {
	case offlinePattern.MatchString(stderr):
		return fmt.Sprintf("%s asks for %s, and no package index can be reached from this machine. Put its wheel into packageUris, or name an index or a wheelhouse in [runtimes] of the configuration.", who, m[1])
	case m[3] == "none":
		return fmt.Sprintf("%s asks for %s, and nothing of that name can be found for this Python.", who, m[1])
	default:
		return fmt.Sprintf("%s asks for %s; there are %s.", who, m[1], strings.Join(there[max(0, len(there)-10):], ", "))
	}
}

// sameProject compares names of projects as Python's index does.
func sameProject(a, b string) bool {
	normal := strings.NewReplacer("_", "-", ".", "-")
	return strings.EqualFold(normal.Replace(a), normal.Replace(b))
}
