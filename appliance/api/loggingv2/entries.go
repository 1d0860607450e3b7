package loggingv2

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/storage/logs"
)

// Options are what the API needs.
type Options struct {
	HasProject func(project string) bool
	Entries    Entries
}

// Entries reads the log of a job: the first entries that match, ordered by
// Time and InsertID. No entries means that there are none behind.
type Entries interface {
	Entries(ctx context.Context, q logs.Query) ([]logs.Entry, error)
}

type api struct{ Options }

// New makes the handler of everything under /v2/.
func New(o Options) http.Handler {
	a := &api{o}
	m := rest.NewMux()
	m.Handle(http.MethodPost, "/v2/entries:list", a.list)
	return m
}

type listRequest struct {
	ProjectIDs    []string `json:"projectIds"`
	ResourceNames []string `json:"resourceNames"`
	Filter        string   `json:"filter"`
	OrderBy       string   `json:"orderBy"`
	PageSize      int32    `json:"pageSize"`
	PageToken     string   `json:"pageToken"`
}

type listResponse struct {
	Entries       []entry `json:"entries,omitempty"`
	NextPageToken string  `json:"nextPageToken,omitempty"`
}

// entry is one line of a job's log as Cloud Logging shows it.
type entry struct {
	LogName   string            `json:"logName"`
	Resource  resource          `json:"resource"`
	Timestamp ml.Timestamp      `json:"timestamp"`
	Severity  string            `json:"severity"`
	InsertID  string            `json:"insertId"`
	Labels    map[string]string `json:"labels"`
	// Exactly one of the payloads is set.
	TextPayload *string         `json:"textPayload,omitempty"`
	JSONPayload json.RawMessage `json:"jsonPayload,omitempty"`
}

type resource struct {
	Type   string            `json:"type"`
	Labels map[string]string `json:"labels"`
}

const (
	maxBody         = 1 << 20
	defaultPageSize = 50
	maxPageSize     = 1000
)

func (a *api) list(r *http.Request, _ rest.Params) (any, error) {
	var in listRequest
	if err := rest.Decode(r, &in, maxBody); err != nil {
		return nil, err
	}
	project, err := a.project(&in)
	if err != nil {
		return nil, err
	}
	if err := checkOrder(in.OrderBy); err != nil {
		return nil, err
	}
	s, err := newSearch(project, &in)
	if err != nil {
		return nil, err
	}
	return a.search(r.Context(), s)
}

// project finds the one project whose log is asked for.
func (a *api) project(in *listRequest) (string, error) {
	names := in.ResourceNames
	for _, id := range in.ProjectIDs {
		names = append(names, "projects/"+id)
	}
	if len(names) != 1 {
		return "", ml.FieldErrorf("resourceNames", "Name one project, as in projects/PROJECT.")
	}
	project, ok := strings.CutPrefix(names[0], "projects/")
	if !ok || strings.Contains(project, "/") {
		return "", ml.FieldErrorf("resourceNames", "%q is not supported; name a project, as in projects/PROJECT.", names[0])
	}
	if !a.HasProject(project) {
		return "", ml.Errorf(ml.NotFound, "Project %q was not found.", project)
	}
	return project, nil
}

func checkOrder(orderBy string) error {
	switch strings.Join(strings.Fields(orderBy), " ") {
	case "", "timestamp", "timestamp asc":
		return nil
	case "timestamp desc":
		return &ml.Error{Kind: ml.Unimplemented, Field: "orderBy", Message: "Entries are given in ascending order only: timestamp asc."}
	}
	return ml.FieldErrorf("orderBy", "%q is not an order; there is timestamp asc.", orderBy)
}
