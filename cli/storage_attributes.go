package cli

import (
	"mime"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

// attributeFlags are the flags that say how objects are written.
func attributeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "content-type", Usage: "`TYPE` of the objects (default: by their names)"},
		&cli.StringFlag{Name: "cache-control", Usage: "how long others may keep copies, as HTTP's `CACHE-CONTROL` says it"},
		&cli.StringSliceFlag{Name: "custom-metadata", Usage: "`KEY=VALUE`,KEY=VALUE… kept with the objects"},
	}
}

// modifiedKey is the metadata in which an object keeps its file's time, in
// seconds since 1970, as gsutil and gcloud do.
const modifiedKey = "goog-reserved-file-mtime"

func withTime(metadata map[string]string, t time.Time) map[string]string {
	out := map[string]string{modifiedKey: strconv.FormatInt(t.Unix(), 10)}
	for k, v := range metadata {
		out[k] = v
	}
	return out
}

// timeOf gives the time that an object keeps; zero if it keeps none.
func timeOf(o client.Object) time.Time {
	seconds, err := strconv.ParseInt(o.Metadata[modifiedKey], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// contentTypes are those that Go knows only where the system has a list.
var contentTypes = map[string]string{
	".csv": "text/csv", ".gz": "application/gzip", ".md": "text/markdown", ".tar": "application/x-tar",
	".tsv": "text/tab-separated-values", ".txt": "text/plain", ".zip": "application/zip",
}

// contentType guesses a type from a file's name; empty if it says nothing.
func contentType(name string) string {
	extension := strings.ToLower(path.Ext(name))
	if t, ok := contentTypes[extension]; ok {
		return t
	}
	t, _, _ := strings.Cut(mime.TypeByExtension(extension), ";")
	return t
}
