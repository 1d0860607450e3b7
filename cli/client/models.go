package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"hearth/ml"
)

// segment makes a name one segment of a path. What is not a valid name is for
// the server to refuse, but it must not become another path.
func segment(name string) string { return url.PathEscape(name) }

func (c *Client) models() string { return "/v1/projects/" + c.project + "/models" }

func (c *Client) versions(model string) string {
	return c.models() + "/" + segment(model) + "/versions"
}

// CreateModel creates a model without versions.
func (c *Client) CreateModel(ctx context.Context, m *ml.Model) (*ml.Model, error) {
	out := new(ml.Model)
	return out, c.call(ctx, http.MethodPost, c.models(), m, out)
}

// Model gives a model. NOT_FOUND.
func (c *Client) Model(ctx context.Context, name string) (*ml.Model, error) {
	out := new(ml.Model)
	return out, c.call(ctx, http.MethodGet, c.models()+"/"+segment(name), nil, out)
}

// Models gives the models, at most limit if that is not 0.
func (c *Client) Models(ctx context.Context, limit int) ([]*ml.Model, error) {
	return list[*ml.Model](ctx, c, c.models(), "models", limit)
}

// DeleteModel begins to delete a model. FAILED_PRECONDITION while it has
// versions.
func (c *Client) DeleteModel(ctx context.Context, name string) (*ml.Operation, error) {
	out := new(ml.Operation)
	return out, c.call(ctx, http.MethodDelete, c.models()+"/"+segment(name), nil, out)
}

// ModelPolicy gives a model's policy. NOT_FOUND.
func (c *Client) ModelPolicy(ctx context.Context, model string) (*ml.Policy, error) {
	out := new(ml.Policy)
	return out, c.call(ctx, http.MethodGet, c.models()+"/"+segment(model)+":getIamPolicy", nil, out)
}

// SetModelPolicy gives a model a policy. ABORTED if its etag is not the present one.
func (c *Client) SetModelPolicy(ctx context.Context, model string, p *ml.Policy) (*ml.Policy, error) {
	out := new(ml.Policy)
	in := map[string]*ml.Policy{"policy": p}
	return out, c.call(ctx, http.MethodPost, c.models()+"/"+segment(model)+":setIamPolicy", in, out)
}

// CreateVersion begins to create a version.
func (c *Client) CreateVersion(ctx context.Context, model string, v *ml.Version) (*ml.Operation, error) {
	out := new(ml.Operation)
	return out, c.call(ctx, http.MethodPost, c.versions(model), v, out)
}

// Version gives a version. NOT_FOUND.
func (c *Client) Version(ctx context.Context, model, version string) (*ml.Version, error) {
	out := new(ml.Version)
	return out, c.call(ctx, http.MethodGet, c.versions(model)+"/"+segment(version), nil, out)
}

// Versions gives a model's versions, at most limit if that is not 0.
func (c *Client) Versions(ctx context.Context, model string, limit int) ([]*ml.Version, error) {
	return list[*ml.Version](ctx, c, c.versions(model), "versions", limit)
}

// DeleteVersion begins to delete a version.
func (c *Client) DeleteVersion(ctx context.Context, model, version string) (*ml.Operation, error) {
	out := new(ml.Operation)
	return out, c.call(ctx, http.MethodDelete, c.versions(model)+"/"+segment(version), nil, out)
}

// SetDefaultVersion makes a version the one that answers for its model.
func (c *Client) SetDefaultVersion(ctx context.Context, model, version string) (*ml.Version, error) {
	out := new(ml.Version)
	return out, c.call(ctx, http.MethodPost, c.versions(model)+"/"+segment(version)+":setDefault", struct{}{}, out)
}

// WaitOperation asks for an operation until it is done. An operation that
// ended with an error is that error.
func (c *Client) WaitOperation(ctx context.Context, op *ml.Operation) (*ml.Operation, error) {
	for pause := 50 * time.Millisecond; !op.Done; pause = min(2*pause, time.Second) {
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		next := new(ml.Operation)
		if err := c.call(ctx, http.MethodGet, "/v1/"+op.Name, nil, next); err != nil {
			return nil, err
		}
		op = next
	}
	if op.Error != nil {
		return op, &ml.Error{Kind: op.Error.Code, Message: op.Error.Message}
	}
	return op, nil
}

// PredictRequest asks a model, or one version of it, about instances.
type PredictRequest struct {
	Model string
	// Version is empty for the model's default version.
	Version string
	// Body is the request's JSON: {"instances": [...], ...}.
	Body json.RawMessage
}

// Predict gives the answer as the server wrote it. It may hold NaN and
// Infinity as bare words, which encoding/json does not read.
func (c *Client) Predict(ctx context.Context, r PredictRequest) ([]byte, error) {
	path := c.models() + "/" + segment(r.Model)
	if r.Version != "" {
		path = c.versions(r.Model) + "/" + segment(r.Version)
	}
	var out []byte
	err := c.call(ctx, http.MethodPost, path+":predict", r.Body, &out)
	return out, err
}

// sleep waits, or gives the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
