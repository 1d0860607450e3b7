package tfserving

import (
	"strconv"
	"strings"

	"hearth/ml"
)

// Reader reads versions. NOT_FOUND for what is not there.
type Reader interface {
	Version(project, model, id string) (*ml.Version, error)
	Versions(project, model string, pageSize int, pageToken string) (versions []*ml.Version, next string, err error)
}

// number gives the number of a version that is called N or vN.
func number(name string) (n int64, ok bool) {
	n, err := strconv.ParseInt(strings.TrimPrefix(name, "v"), 10, 64)
	return n, err == nil && n >= 0
}

// byNumber gives the name that a version N goes by if it is not N itself.
func byNumber(version string) (name string, ok bool) {
	if _, err := strconv.ParseUint(version, 10, 63); err != nil {
		return "", false
	}
	return "v" + version, true
}

// byLabel finds the READY version with a label.
func byLabel(r Reader, project, model, label string) (string, error) {
	var found []string
	err := each(r, project, model, func(v *ml.Version) {
		if _, ok := v.Labels[label]; ok && v.State == ml.VersionReady {
			found = append(found, ml.LastSegment(v.Name))
		}
	})
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", ml.Errorf(ml.NotFound, "Unrecognized servable version label: %s; no READY version of model %s has a label with this key.", label, model)
	case len(found) > 1:
		return "", ml.Errorf(ml.FailedPrecondition, "The label %s is on several versions of model %s: %s.", label, model, strings.Join(found, ", "))
	}
	return found[0], nil
}

// pageSize is how many versions are read at once.
const pageSize = 100

// each visits all versions of a model.
func each(r Reader, project, model string, visit func(*ml.Version)) error {
	for token := ""; ; {
		versions, next, err := r.Versions(project, model, pageSize, token)
		if err != nil {
			return err
		}
		for _, v := range versions {
			visit(v)
		}
		if next == "" {
			return nil
		}
		token = next
	}
}
