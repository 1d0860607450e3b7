package tfserving

import (
	"net/url"
	"strings"
)

// address is what a path names.
type address struct {
	model string
	// version is a number or a name; label one of a version's labels. At most one
	// of them is given.
	version, label string
	metadata       bool
	verb           string
}

// parsePath reads /v1/models/M[/versions/N|/labels/L][/metadata|:VERB], escaped.
// Its words are known in any case.
func parsePath(escaped string) (a address, ok bool) {
	const prefix = "/v1/models/"
	if len(escaped) < len(prefix) || !strings.EqualFold(escaped[:len(prefix)], prefix) {
		return a, false
	}
	rest := escaped[len(prefix):]
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		rest, a.verb = rest[:i], strings.ToLower(rest[i+1:])
	}
	segments := strings.Split(rest, "/")
	if a.model, ok = unescape(segments[0]); !ok {
		return a, false
	}
	segments = segments[1:]
	if len(segments) >= 2 {
		var name *string
		switch strings.ToLower(segments[0]) {
		case "versions":
			name = &a.version
		case "labels":
			name = &a.label
		default:
			return a, false
		}
		if *name, ok = unescape(segments[1]); !ok {
			return a, false
		}
		segments = segments[2:]
	}
	if len(segments) == 1 && strings.EqualFold(segments[0], "metadata") {
		a.metadata, segments = true, nil
	}
	return a, len(segments) == 0 && !(a.metadata && a.verb != "")
}

func unescape(segment string) (string, bool) {
	name, err := url.PathUnescape(segment)
	return name, err == nil && name != ""
}
