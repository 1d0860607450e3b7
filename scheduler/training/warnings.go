package training

import (
	"fmt"
	"strings"

	"hearth/ml"
)

// Warnings names what a request asks for that has no meaning on one machine.
// Such fields are kept and shown; the job's log says that they do nothing.
func Warnings(in *ml.TrainingInput) []string {
	var warnings []string
	ignored := func(field string, set bool) {
		if set {
			warnings = append(warnings, fmt.Sprintf("%s has no effect here: the job runs on this machine.", field))
		}
	}
	ignored("region", in.Region != "")
	ignored("network", in.Network != "")
	ignored("serviceAccount", in.ServiceAccount != "")
	ignored("encryptionConfig", len(in.EncryptionConfig) > 0)
	ignored("enableWebAccess", in.EnableWebAccess)
	for _, g := range in.Groups() {
		ignored(strings.TrimPrefix(g.ConfigField, "trainingInput.")+".diskConfig", g.Config != nil && len(g.Config.DiskConfig) > 0)
	}
	return warnings
}
