package mlv1

import (
	"context"
	"net/http"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/serving"
)

// Options are what the API needs. All but MaxPredictBody must be set.
type Options struct {
	HasProject      func(project string) bool
	Jobs            Jobs
	JobReader       JobReader
	Catalogue       Catalogue
	CatalogueReader CatalogueReader
	Operations      OperationReader
	Predictor       Predictor
	// MaxPredictBody is the most bytes of a prediction request; 64 MiB if zero.
	MaxPredictBody int64
}

// Jobs changes jobs. Submit's errors are INVALID_ARGUMENT, NOT_FOUND for a
// package that is missing and ALREADY_EXISTS; Cancel's NOT_FOUND. Cancelling a
// job that has ended changes nothing and is no error.
type Jobs interface {
	Submit(ctx context.Context, project string, job *ml.Job) (*ml.Job, error)
	Cancel(ctx context.Context, project, id string) error
}

// JobReader reads jobs. Lists are pages, the newest job first.
type JobReader interface {
	Job(project, id string) (*ml.Job, error)
	Jobs(project string, pageSize int, pageToken string) (jobs []*ml.Job, next string, err error)
}

// Catalogue changes models and versions.
type Catalogue interface {
	CreateModel(ctx context.Context, project string, model *ml.Model) (*ml.Model, error)
	DeleteModel(ctx context.Context, project, model string) (*ml.Operation, error)
	CreateVersion(ctx context.Context, project, model string, v *ml.Version) (*ml.Operation, error)
	DeleteVersion(ctx context.Context, project, model, version string) (*ml.Operation, error)
	SetDefault(ctx context.Context, project, model, version string) (*ml.Version, error)
	SetModelPolicy(ctx context.Context, project, model string, p *ml.Policy) (*ml.Policy, error)
}

// CatalogueReader reads models and versions.
type CatalogueReader interface {
	Model(project, id string) (*ml.Model, error)
	Models(project string, pageSize int, pageToken string) (models []*ml.Model, next string, err error)
	Version(project, model, id string) (*ml.Version, error)
	Versions(project, model string, pageSize int, pageToken string) (versions []*ml.Version, next string, err error)
	ModelPolicy(project, model string) (*ml.Policy, error)
}

// OperationReader reads operations.
type OperationReader interface {
	Operation(project, id string) (*ml.Operation, error)
	Operations(project string, pageSize int, pageToken string) (operations []*ml.Operation, next string, err error)
}

// Predictor answers predictions. It uses the request's body only until it
// returns.
type Predictor interface {
	Predict(ctx context.Context, r serving.PredictRequest) (serving.PredictResponse, error)
}

const (
	defaultMaxPredictBody = 64 << 20
	// maxBody is the most bytes of any other request.
	maxBody = 4 << 20
)

// api holds the routes' handlers.
type api struct {
	Options
	mux *rest.Mux
}

// New makes the handler of everything under /v1/.
func New(o Options) http.Handler {
	if o.MaxPredictBody == 0 {
		o.MaxPredictBody = defaultMaxPredictBody
	}
	a := &api{Options: o, mux: rest.NewMux()}
	a.routeJobs()
	a.routeModels()
	a.routeVersions()
	a.routeOperations()
	a.routePolicies()
	a.routePredict()
	a.routeUnimplemented()
	return a.mux
}

// handle adds a route below a project, which is looked at first.
func (a *api) handle(method, below string, h rest.HandlerFunc, query ...string) {
	a.mux.Handle(method, "/v1/projects/{project}"+below, func(r *http.Request, p rest.Params) (any, error) {
		if err := a.checkProject(p.Get("project")); err != nil {
			return nil, err
		}
		return h(r, p)
	}, query...)
}

func (a *api) checkProject(project string) error {
	if a.HasProject(project) {
		return nil
	}
	return ml.Errorf(ml.NotFound, "Project %q was not found.", project)
}

// listQuery are the parameters of list methods.
var listQuery = []string{"filter", "pageSize", "pageToken"}

// page reads the parameters of a list method.
func page(r *http.Request) (size int, token string, err error) {
	if r.URL.Query().Get("filter") != "" {
		return 0, "", &ml.Error{Kind: ml.Unimplemented, Field: "filter", Message: "Lists cannot be filtered by this server; leave the filter out."}
	}
	return rest.Page(r)
}

// noFields is the body of methods whose request has no fields.
type noFields struct{}
