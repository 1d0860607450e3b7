package mlv1

import (
	"net/http"

	"hearth/ml"
	"hearth/ml/rest"
)

func (a *api) routeJobs() {
	a.handle(http.MethodPost, "/jobs", a.createJob)
	a.handle(http.MethodGet, "/jobs", a.listJobs, listQuery...)
	a.handle(http.MethodGet, "/jobs/{job}", a.getJob)
	a.handle(http.MethodPost, "/jobs/{job}:cancel", a.cancelJob)
}

func (a *api) createJob(r *http.Request, p rest.Params) (any, error) {
	job := &ml.Job{}
	if err := rest.Decode(r, job, maxBody); err != nil {
		return nil, err
	}
	return a.Jobs.Submit(r.Context(), p.Get("project"), job)
}

func (a *api) getJob(_ *http.Request, p rest.Params) (any, error) {
	return a.JobReader.Job(p.Get("project"), p.Get("job"))
}

type listJobsResponse struct {
	Jobs          []*ml.Job `json:"jobs,omitempty"`
	NextPageToken string    `json:"nextPageToken,omitempty"`
}

func (a *api) listJobs(r *http.Request, p rest.Params) (any, error) {
	size, token, err := page(r)
	if err != nil {
		return nil, err
	}
	jobs, next, err := a.JobReader.Jobs(p.Get("project"), size, token)
	return listJobsResponse{jobs, next}, err
}

func (a *api) cancelJob(r *http.Request, p rest.Params) (any, error) {
	if err := rest.Decode(r, &noFields{}, maxBody); err != nil {
		return nil, err
	}
	return nil, a.Jobs.Cancel(r.Context(), p.Get("project"), p.Get("job"))
}
