package object

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
)

// Where files are, below the store's folder. Bucket names begin with a letter
// or a digit, and so collide with none of these.
const (
	indexFile   = ".index.db"
	stageDir    = ".tmp"
	uploadDir   = ".uploads"
	escapedDir  = ".escaped" // inside a bucket's folder
	maxSegment  = 255        // NAME_MAX
	maxEscaped  = 195        // leaves room on file systems that allow less
	hashedStart = 130
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
// one file name with percent signs for all that is unusual, cut and made unique
// by a hash where it would be too long. No two names share one: a tilde is
// itself escaped, and so occurs only in front of a hash.
func escapedPath(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	s := b.String()
	if len(s) > maxEscaped {
		sum := sha256.Sum256([]byte(name))
		s = s[:hashedStart] + "~" + hex.EncodeToString(sum[:])
	}
	return filepath.Join(escapedDir, s)
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
