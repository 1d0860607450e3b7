package client

import (
	"context"
	"net/http"

	"hearth/ml"
)

func (c *Client) jobs() string { return "/v1/projects/" + c.project + "/jobs" }

// SubmitJob creates a job.
func (c *Client) SubmitJob(ctx context.Context, job *ml.Job) (*ml.Job, error) {
	out := new(ml.Job)
	return out, c.call(ctx, http.MethodPost, c.jobs(), job, out)
}

// Job gives a job. NOT_FOUND.
func (c *Client) Job(ctx context.Context, id string) (*ml.Job, error) {
	out := new(ml.Job)
	return out, c.call(ctx, http.MethodGet, c.jobs()+"/"+segment(id), nil, out)
}

// Jobs gives the newest jobs, at most limit if that is not 0.
func (c *Client) Jobs(ctx context.Context, limit int) ([]*ml.Job, error) {
	return list[*ml.Job](ctx, c, c.jobs(), "jobs", limit)
}

// CancelJob asks for a job to end. A job that has ended stays as it is.
func (c *Client) CancelJob(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, c.jobs()+"/"+segment(id)+":cancel", struct{}{}, nil)
}

// JobLineage gives which objects a job has read and written. NOT_FOUND.
func (c *Client) JobLineage(ctx context.Context, id string) (*ml.Lineage, error) {
	out := new(ml.Lineage)
	return out, c.call(ctx, http.MethodGet, "/hearth/v1/projects/"+c.project+"/jobs/"+segment(id)+"/lineage", nil, out)
}

// JobUsage gives what the replicas of a job have used over time.
func (c *Client) JobUsage(ctx context.Context, id string) (*ml.Usage, error) {
	out := new(ml.Usage)
	return out, c.call(ctx, http.MethodGet, "/hearth/v1/projects/"+c.project+"/jobs/"+segment(id)+"/usage", nil, out)
}
