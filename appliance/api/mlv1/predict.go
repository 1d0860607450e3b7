package mlv1

import (
	"net/http"
	"slices"
	"strings"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/serving"
)

func (a *api) routePredict() {
	const project = "/v1/projects/{project}"
	a.mux.HandleRaw(http.MethodPost, project+"/models/{model}:predict", a.predict)
	a.mux.HandleRaw(http.MethodPost, project+"/models/{model}/versions/{version}:predict", a.predict)
	a.handle(http.MethodPost, ":predict", func(_ *http.Request, p rest.Params) (any, error) {
		return nil, ml.FieldErrorf("name", "Predictions are made by a model or a version: projects/%s/models/MODEL[/versions/VERSION].", p.Get("project"))
	})
}

// predict hands the body to a version as it came and its answer back as it
// comes: what is wrong with the instances is the version's to say. This is the
// hot path.
func (a *api) predict(w http.ResponseWriter, r *http.Request, p rest.Params) error {
	project := p.Get("project")
	if err := a.checkProject(project); err != nil {
		return err
	}
	body, release, err := rest.ReadBody(r, a.MaxPredictBody)
	if err != nil {
		return err
	}
	defer release()
	timeout, err := rest.Timeout(r)
	if err != nil {
		return err
	}
	answer, err := a.Predictor.Predict(r.Context(), serving.PredictRequest{
		Project: project, Model: p.Get("model"), Version: p.Get("version"), Timeout: timeout, Body: body,
	})
	if err != nil {
		return err
	}
	defer answer.Release()
	if answer.Timing != "" {
		w.Header().Set("Server-Timing", answer.Timing)
	}
	rest.WriteRaw(w, r, answer.Status, answer.ContentType, answer.Body)
	return nil
}

// Asks says which model a request is about, and what permission on it is enough to
// make it. It is false for requests for which none is.
func Asks(r *http.Request) (project, model, permission string, ok bool) {
	path, ours := strings.CutPrefix(r.URL.EscapedPath(), "/v1/projects/")
	path, predicts := strings.CutSuffix(path, ":predict")
	segments := strings.Split(path, "/")
	if !ours || slices.ContainsFunc(segments, func(s string) bool { return s == "" || strings.ContainsAny(s, "%:") }) ||
		len(segments) < 3 || segments[1] != "models" || len(segments) > 3 && segments[3] != "versions" {
		return "", "", "", false
	}
	of := map[int]map[bool]string{
		3: {true: ml.PermissionModelPredict, false: ml.PermissionModelGet},
		4: {false: ml.PermissionVersionList},
		5: {true: ml.PermissionVersionPredict, false: ml.PermissionVersionGet},
	}
	permission = of[len(segments)][predicts]
	if permission == "" || predicts != (r.Method == http.MethodPost) || !predicts && r.Method != http.MethodGet {
		return "", "", "", false
	}
	return segments[0], segments[2], permission, true
}

// Predicts says which version a request is a predict of, the model's default one if
// it is empty. It is false for requests that say something beside.
func Predicts(r *http.Request) (project, model, version string, ok bool) {
	// alt=json is what is so anyway.
	if r.URL.RawQuery != "" && r.URL.RawQuery != "alt=json" {
		return "", "", "", false
	}
	path, ours := strings.CutPrefix(r.URL.EscapedPath(), "/v1/projects/")
	path, predicts := strings.CutSuffix(path, ":predict")
	if !ours || !predicts || r.Method != http.MethodPost {
		return "", "", "", false
	}
	segments := strings.Split(path, "/")
	for _, s := range segments {
		if s == "" || strings.ContainsAny(s, "%:") {
			return "", "", "", false
		}
	}
	switch {
	case len(segments) == 3 && segments[1] == "models":
		return segments[0], segments[2], "", true
	case len(segments) == 5 && segments[1] == "models" && segments[3] == "versions":
		return segments[0], segments[2], segments[4], true
	}
	return "", "", "", false
}
