package cli

import (
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/ml"
)

// location is a place that cp and its kin read or write: gs://bucket/object,
// a local path, or "-" for the standard streams.
type location struct {
	bucket, object string
	local          string
}

// parseLocation reads a location as it is written on the command line.
func parseLocation(c *cli.Context, s string) (location, error) {
	if !strings.HasPrefix(s, "gs://") {
		return location{local: s}, nil
	}
	bucket, object, ok := ml.ObjectURI(s)
	if !ok {
		return location{}, misuse(c, "%s: write gs://BUCKET/OBJECT", s)
	}
	return location{bucket: bucket, object: object}, nil
}

// remoteLocation is parseLocation for what must be in the bucket.
func remoteLocation(c *cli.Context, s string) (location, error) {
	l, err := parseLocation(c, s)
	if err == nil && !l.remote() {
		return l, misuse(c, "%s: write gs://BUCKET/OBJECT", s)
	}
	return l, err
}

// bucketName reads gs://BUCKET, or BUCKET alone.
func bucketName(c *cli.Context, s string) (string, error) {
	bucket, object, ok := ml.ObjectURI("gs://" + strings.TrimPrefix(s, "gs://"))
	if !ok || strings.Trim(object, "/") != "" {
		return "", misuse(c, "%s: write gs://BUCKET", s)
	}
	return bucket, nil
}

func (l location) remote() bool { return l.bucket != "" }

func (l location) stream() bool { return l.local == "-" }

// folder reports whether the location is written as a folder.
func (l location) folder() bool {
	if l.remote() {
		return l.object == "" || strings.HasSuffix(l.object, "/")
	}
	return strings.HasSuffix(l.local, "/")
}

// prefix gives what the names of all objects below the location begin with.
func (l location) prefix() string {
	if l.object == "" || strings.HasSuffix(l.object, "/") {
		return l.object
	}
	return l.object + "/"
}

// base gives the last part of the location's name.
func (l location) base() string {
	if l.remote() {
		return path.Base(strings.TrimSuffix(l.object, "/"))
	}
	return path.Base(l.local)
}

// below gives a location below this one.
func (l location) below(name string) location {
	if l.remote() {
		l.object = l.prefix() + name
	} else {
		l.local = path.Join(l.local, name)
	}
	return l
}

// String writes the location as it is written on the command line.
func (l location) String() string {
	if l.remote() {
		return "gs://" + l.bucket + "/" + l.object
	}
	return l.local
}
