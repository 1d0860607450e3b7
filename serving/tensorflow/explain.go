package tensorflow

import (
	"regexp"
	"strings"

	"hearth/ml"
)

// loadFaults are what TensorFlow says of SavedModels that were broken on their way, and
// what that means. $1 is the first group that was found.
var loadFaults = []struct {
	says  *regexp.Regexp
	means string
}{
	{regexp.MustCompile(`Op type not registered '([^']*)'`), "the graph has the operation $1, which this TensorFlow does not know: " +
		"it comes from a library of custom operations, or from another version of TensorFlow."},
	{regexp.MustCompile(`/(assets/\S+); No such file`), "the SavedModel's file $1 is missing; export or copy it again."},
	{regexp.MustCompile(`\{\{node \S*RestoreV2`), "the files in the SavedModel's folder variables cannot be read, one may be cut short; export or copy it again."},
}

// explainLoad makes an error of the reason why a SavedModel does not load.
func explainLoad(err error) error {
	text := err.Error()
	for _, f := range loadFaults {
		if found := f.says.FindStringSubmatchIndex(text); found != nil {
			means := f.says.ExpandString(nil, f.means, text, found)
			first, _, _ := strings.Cut(text, "\n")
			first, _, _ = strings.Cut(first, " Make sure") // what follows is for programmers of TensorFlow
			return ml.Errorf(ml.InvalidArgument, "load the SavedModel: %s TensorFlow says: %s", means, first)
		}
	}
	return ml.Errorf(ml.InvalidArgument, "load the SavedModel: %s", text)
}
