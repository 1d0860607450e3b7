package ml

import (
	"regexp"
	"strconv"
	"strings"
)

var idPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,127}$`)

// CheckID reports whether id may name a job, model or version: letters, digits
// and underscores, first a letter, at most 128 characters. field is the JSON
// path to blame.
func CheckID(field, id string) error {
	if idPattern.MatchString(id) {
		return nil
	}
	return FieldErrorf(field, "%q is not a valid name: use letters, digits and underscores, first a letter, at most 128 characters.", id)
}

// ModelName gives projects/P/models/M.
func ModelName(project, model string) string { return "projects/" + project + "/models/" + model }

// VersionName gives projects/P/models/M/versions/V.
func VersionName(project, model, version string) string {
	return ModelName(project, model) + "/versions/" + version
}

// ReplicaName gives the name of a replica of a version: the version's for the first.
func ReplicaName(version string, index int) string {
	if index == 0 {
		return version
	}
	return version + "/replicas/" + strconv.Itoa(index)
}

// OperationName gives projects/P/operations/O.
func OperationName(project, operation string) string {
	return "projects/" + project + "/operations/" + operation
}

// LastSegment gives what follows the last slash of a resource name: its bare id.
func LastSegment(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// ObjectURI splits gs://bucket/object. object may be empty or end in a slash.
func ObjectURI(uri string) (bucket, object string, ok bool) {
	rest, ok := strings.CutPrefix(uri, "gs://")
	if !ok {
		return "", "", false
	}
	bucket, object, _ = strings.Cut(rest, "/")
	return bucket, object, bucket != ""
}

// SplitModelName takes projects/P/models/M apart.
func SplitModelName(name string) (project, model string, ok bool) {
	s := strings.Split(name, "/")
	if len(s) != 4 || s[0] != "projects" || s[2] != "models" || s[1] == "" || !idPattern.MatchString(s[3]) {
		return "", "", false
	}
	return s[1], s[3], true
}

// SplitVersionName takes projects/P/models/M/versions/V apart.
func SplitVersionName(name string) (project, model, version string, ok bool) {
	s := strings.Split(name, "/")
	if len(s) != 6 || s[4] != "versions" || !idPattern.MatchString(s[5]) {
		return "", "", "", false
	}
	project, model, ok = SplitModelName(strings.Join(s[:4], "/"))
	return project, model, s[5], ok
}
