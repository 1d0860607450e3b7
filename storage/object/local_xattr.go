package object

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path"
	"reflect"
	"strings"

	"golang.org/x/sys/unix"
)

// note is what an extended attribute of a file says about its object, so that
// the index can be made anew without losing it: what neither path nor content
// show. It is a help, not a promise: a file system without such attributes, or
// without room for one, does without, and nobody hears of it. Hard links share
// their attributes, so each object has one of its own, named by noteName.
type note struct {
	Attributes
	Components int `json:"components,omitempty"`
	// Generation and Metageneration are known once the object was changed
	// without being written. They hold while the file has the time Modified, in
	// nanoseconds since 1970.
	Generation     int64 `json:"generation,omitempty"`
	Metageneration int64 `json:"metageneration,omitempty"`
	Modified       int64 `json:"modified,omitempty"`
}

const notePrefix = "user.hearth."

// noteName is the name of the attribute with the note of an object.
func noteName(bucket, name string) string {
	sum := sha256.Sum256([]byte(bucket + "/" + name))
	return notePrefix + hex.EncodeToString(sum[:8])
}

// contentTypes is what an object without a note is, by its extension.
var contentTypes = map[string]string{
	".csv": "text/csv", ".gif": "image/gif", ".gz": "application/gzip", ".html": "text/html", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
	".json": "application/json", ".md": "text/markdown", ".pdf": "application/pdf", ".png": "image/png", ".py": "text/x-python",
	".svg": "image/svg+xml", ".tar": "application/x-tar", ".txt": "text/plain", ".xml": "application/xml", ".zip": "application/zip",
}

// defaultNote is what is assumed of an object without a note.
func defaultNote(name string) note {
	kind := contentTypes[strings.ToLower(path.Ext(name))]
	if kind == "" {
		kind = "application/octet-stream"
	}
	return note{Attributes: Attributes{ContentType: kind}}
}

// writeNote keeps a note on a new file, which has none yet.
func writeNote(file, bucket, name string, n note) {
	if reflect.DeepEqual(n, defaultNote(name)) {
		return // most objects: this saves the disk a block
	}
	if b, err := json.Marshal(n); err == nil {
		_ = unix.Setxattr(file, noteName(bucket, name), b, 0)
	}
}

// replaceNote keeps a note on a file that may have one.
func replaceNote(file, bucket, name string, n note) {
	dropNote(file, bucket, name)
	writeNote(file, bucket, name, n)
}

func dropNote(file, bucket, name string) { _ = unix.Removexattr(file, noteName(bucket, name)) }

// refreshNote keeps on an object's file what its record says. The caller holds
// the name's lock.
func (l *Local) refreshNote(bucket, name string, r *record) {
	file := l.file(bucket, r.Path)
	info, err := os.Lstat(file)
	if err != nil {
		return
	}
	replaceNote(file, bucket, name, note{r.Attributes, r.Components, r.Generation, r.Metageneration, info.ModTime().UnixNano()})
}

// readNote gives what is known of an object beside its index: its note, the
// only one that the file has if it was moved here by hand, or the default.
func readNote(file, bucket, name string) note {
	b := make([]byte, 64<<10) // what the kernel allows at most
	key := noteName(bucket, name)
	size, err := unix.Getxattr(file, key, b)
	if err != nil {
		if key = onlyNote(file); key == "" {
			return defaultNote(name)
		}
		size, err = unix.Getxattr(file, key, b)
	}
	var n note
	if err != nil || json.Unmarshal(b[:size], &n) != nil {
		return defaultNote(name)
	}
	return n
}

// onlyNote gives the name of a file's only note; none if there are several.
func onlyNote(file string) (key string) {
	b := make([]byte, 64<<10)
	size, err := unix.Listxattr(file, b)
	if err != nil {
		return ""
	}
	for name := range strings.SplitSeq(string(b[:size]), "\x00") {
		if !strings.HasPrefix(name, notePrefix) {
			continue
		}
		if key != "" {
			return ""
		}
		key = name
	}
	return key
}
