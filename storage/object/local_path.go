package object

import (
	"fmt"
	"net/url"
	"strings"
)

// Where files are, below the store's folder. Bucket names begin with a letter
// or a digit, and so collide with none of these.
const (
	indexFile  = ".index.db"
	stageDir   = ".tmp"
	uploadDir  = ".uploads"
	escapedDir = ".escaped" // inside a bucket's folder
	maxSegment = 255        // NAME_MAX
	maxPiece   = 195        // leaves room on file systems that allow less
)

// plainPath gives the path inside a bucket's folder that shows an object's name
// as it is. ok is false for names that no path can show.
func plainPath(name string) (path string, ok bool) {
	first := true
	for segment := range strings.SplitSeq(name, "/") {
		switch {
		case segment == "", segment == ".", segment == "..", len(segment) > maxSegment:
			return "", false
		case first && segment == escapedDir:
			return "", false
		}
		first = false
	}
	return name, !strings.Contains(name, "\x00")
}

// escapedPath gives the path inside a bucket's folder that any name can have:
// percent signs for all that is unusual, and where that is too long for one
// file name, cut into folders whose names end in a tilde. A tilde is itself
// escaped, so no two names share a path, and none is in another's way.
func escapedPath(name string) string {
	var b strings.Builder
	b.WriteString(escapedDir + "/")
	piece := 0 // how long the piece is that is being written
	for i := range len(name) {
		token := name[i : i+1]
		if !standsForItself(name[i]) || name[i] == '.' && piece == 0 {
			token = fmt.Sprintf("%%%02X", name[i])
		}
		if piece+len(token) >= maxPiece {
			b.WriteString("~/")
			piece = 0
			if name[i] == '.' {
				token = "%2E"
			}
		}
		b.WriteString(token)
		piece += len(token)
	}
	return b.String()
}

func standsForItself(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// nameOfPath gives the name of the object whose file has a path. ok is false
// for paths that none has, or that do not show it: before long names were cut,
// their paths ended in a hash.
func nameOfPath(path string) (name string, ok bool) {
	if isPlain(path) {
		plain, ok := plainPath(path)
		return plain, ok
	}
	var b strings.Builder
	pieces := strings.Split(path, "/")[1:]
	for i, piece := range pieces {
		if i < len(pieces)-1 {
			piece = strings.TrimSuffix(piece, "~")
		}
		part, err := url.PathUnescape(piece)
		if err != nil {
			return "", false
		}
		b.WriteString(part)
	}
	return b.String(), b.Len() > 0 && escapedPath(b.String()) == path
}

// plainOrEscaped gives the plain path of a name, the escaped one if there is
// none.
func plainOrEscaped(name string) string {
	if path, ok := plainPath(name); ok {
		return path
	}
	return escapedPath(name)
}

// isPlain reports whether a path is where its object's name says.
func isPlain(path string) bool { return !strings.HasPrefix(path, escapedDir+"/") }
