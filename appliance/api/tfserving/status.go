package tfserving

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"hearth/ml"
	"hearth/serving"
	"hearth/serving/frame"
)

// versionStatus is TensorFlow Serving's ModelVersionStatus.
type versionStatus struct {
	Version string      `json:"version"`
	State   string      `json:"state"`
	Status  statusProto `json:"status"`
}

type statusProto struct {
	Code    string `json:"error_code"`
	Message string `json:"error_message"`
}

// states are the words for the states of versions.
var states = map[ml.VersionState]string{
	ml.VersionCreating: "LOADING", ml.VersionUpdating: "LOADING", ml.VersionReady: "AVAILABLE",
	ml.VersionDeleting: "UNLOADING", ml.VersionFailed: "END",
}

func statusOf(v *ml.Version) versionStatus {
	s := versionStatus{Version: shownVersion(ml.LastSegment(v.Name)), State: states[v.State], Status: statusProto{Code: "OK"}}
	if s.State == "" {
		s.State = "UNKNOWN"
	}
	if v.State == ml.VersionFailed {
		s.Status = statusProto{Code: "UNKNOWN", Message: v.ErrorMessage}
	}
	return s
}

// shownVersion is a version's number, or its name if it has none.
func shownVersion(name string) string {
	if n, ok := number(name); ok {
		return strconv.FormatInt(n, 10)
	}
	return name
}

// status tells how far the versions are that the address means: all of a model's,
// the newest first, if it names none.
func (a *api) status(w http.ResponseWriter, _ *http.Request, to address) error {
	statuses, err := a.statuses(to)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"model_version_status": statuses})
	return nil
}

func (a *api) statuses(to address) ([]versionStatus, error) {
	statuses := []versionStatus{}
	if to.version == "" && to.label == "" {
		err := each(a.Reader, a.Project, to.model, func(v *ml.Version) { statuses = append(statuses, statusOf(v)) })
		slices.Reverse(statuses)
		return statuses, err
	}
	v, err := a.version(to)
	if err != nil {
		return nil, err
	}
	return append(statuses, statusOf(v)), nil
}

// version reads the version that an address names.
func (a *api) version(to address) (*ml.Version, error) {
	name := to.version
	if to.label != "" {
		var err error
		if name, err = byLabel(a.Reader, a.Project, to.model, to.label); err != nil {
			return nil, err
		}
	}
	v, err := a.Reader.Version(a.Project, to.model, name)
	if alias, ok := byNumber(name); ok && ml.KindOf(err) == ml.NotFound {
		v, err = a.Reader.Version(a.Project, to.model, alias)
	}
	return v, err
}

// modelMetadata is TensorFlow Serving's GetModelMetadataResponse.
type modelMetadata struct {
	Spec     modelSpec                  `json:"model_spec"`
	Metadata map[string]json.RawMessage `json:"metadata"`
}

type modelSpec struct {
	Name      string `json:"name"`
	Signature string `json:"signature_name"`
	Version   string `json:"version"`
}

// metadata shows the signatures of a version.
func (a *api) metadata(w http.ResponseWriter, r *http.Request, to address) error {
	answer, err := a.ask(r.Context(), to, serving.PredictRequest{Method: frame.TFServingMetadata})
	if err != nil {
		return err
	}
	defer answer.Release()
	writeJSON(w, answer.Status, modelMetadata{
		Spec:     modelSpec{Name: to.model, Version: shownVersion(answer.Version)},
		Metadata: map[string]json.RawMessage{"signature_def": answer.Body},
	})
	return nil
}
