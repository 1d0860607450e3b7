package object

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"

	"hearth/ml"
)

// Limits of Cloud Storage on names, in bytes.
const (
	maxObjectName    = 1024
	minBucketName    = 3
	maxBucketName    = 222
	maxBucketSegment = 63
)

var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*[a-z0-9]$`)

// CheckBucketName gives INVALID_ARGUMENT for a name that Cloud Storage's rules
// forbid.
func CheckBucketName(name string) error {
	bad := func(why string) error {
		return ml.FieldErrorf("name", "Invalid bucket name: '%s': %s.", name, why)
	}
	if len(name) < minBucketName || len(name) > maxBucketName || !bucketPattern.MatchString(name) {
		return bad("use 3 to 63 lower-case letters, digits, dashes, underscores and dots, a letter or a digit first and last")
	}
	for segment := range strings.SplitSeq(name, ".") {
		if segment == "" {
			return bad("two dots may not follow each other")
		}
		if len(segment) > maxBucketSegment {
			return bad("no part between dots may have more than 63 characters")
		}
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return bad("it may not look like an IP address")
	}
	if strings.HasPrefix(name, "goog") || strings.Contains(name, "google") || strings.Contains(name, "g00gle") {
		return bad(`it may not begin with "goog" or contain "google"`)
	}
	return nil
}

// CheckObjectName gives INVALID_ARGUMENT for a name that Cloud Storage's rules
// forbid.
func CheckObjectName(name string) error {
	switch {
	case name == "":
		return ml.FieldErrorf("name", "Required")
	case len(name) > maxObjectName:
		return ml.FieldErrorf("name", "The maximum object length is %d characters, but got a name with %d characters.", maxObjectName, len(name))
	case !utf8.ValidString(name):
		return ml.FieldErrorf("name", "The object name %q is not valid UTF-8.", name)
	case strings.ContainsAny(name, "\r\n"):
		return ml.FieldErrorf("name", "Disallowed unicode characters present in object name %q.", name)
	case name == ".", name == "..", strings.HasPrefix(name, ".well-known/acme-challenge/"):
		return ml.FieldErrorf("name", "Invalid object name: '%s'.", name)
	}
	return nil
}
