package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"hearth/ml"
)

// Status asks the daemon how it is.
func (c *Client) Status(ctx context.Context) (*ml.Installation, error) {
	out := new(ml.Installation)
	return out, c.call(ctx, http.MethodGet, "/hearth/v1/status", nil, out)
}

// ClearGPU lets a device be used again that an error has condemned.
func (c *Client) ClearGPU(ctx context.Context, uuid string) error {
	return c.call(ctx, http.MethodPost, "/hearth/v1/gpus/"+segment(uuid)+":clear", struct{}{}, nil)
}

// Queue gives the jobs that run and those that wait.
func (c *Client) Queue(ctx context.Context) (*ml.Queue, error) {
	out := new(ml.Queue)
	return out, c.call(ctx, http.MethodGet, "/hearth/v1/queue", nil, out)
}

// PredictionProgress tells how far a batch prediction is that runs.
func (c *Client) PredictionProgress(ctx context.Context, job string) (ml.PredictionProgress, error) {
	var p ml.PredictionProgress
	return p, c.call(ctx, http.MethodGet, "/hearth/v1/projects/"+segment(c.project)+"/jobs/"+segment(job)+"/progress", nil, &p)
}

// CA gives the certificates to trust behind the daemon's proxy, as PEM.
func (c *Client) CA(ctx context.Context) ([]byte, error) {
	var out []byte
	err := c.call(ctx, http.MethodGet, "/hearth/v1/ca", nil, &out)
	return out, err
}

// Runtimes gives the runtimes that there are.
func (c *Client) Runtimes(ctx context.Context) ([]ml.Runtime, error) {
	var out struct {
		Runtimes []ml.Runtime `json:"runtimes"`
	}
	err := c.call(ctx, http.MethodGet, "/hearth/v1/runtimes", nil, &out)
	return out.Runtimes, err
}

// RemoveRuntime deletes a runtime. NOT_FOUND, FAILED_PRECONDITION while it is
// used.
func (c *Client) RemoveRuntime(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, "/hearth/v1/runtimes/"+segment(name), nil, nil)
}

// InstallRequest names a runtime to install; Wheelhouse is a folder of the
// daemon's machine, empty to take the packages from the network.
type InstallRequest struct {
	Name       string `json:"name"`
	Wheelhouse string `json:"wheelhouse,omitempty"`
	Python     string `json:"python,omitempty"`
}

// InstallRuntime installs a runtime and hands its progress to step. A runtime
// that is already there is given at once.
func (c *Client) InstallRuntime(ctx context.Context, r InstallRequest, step func(ml.InstallProgress)) (*ml.Runtime, error) {
	return stream[ml.InstallProgress, ml.Runtime](ctx, c, "/hearth/v1/runtimes", r, "runtime", step)
}

// Archive names a file of the daemon's machine that holds a runtime. Python is
// the interpreter to import it with, empty to look for one.
type Archive struct {
	File   string `json:"file"`
	Python string `json:"python,omitempty"`
}

// ExportRuntime writes a runtime with its wheels to a file.
func (c *Client) ExportRuntime(ctx context.Context, name string, a Archive, step func(ml.InstallProgress)) error {
	_, err := stream[ml.InstallProgress, Archive](ctx, c, "/hearth/v1/runtimes/"+segment(name)+":export", a, "archive", step)
	return err
}

// ImportRuntime makes a runtime of such a file.
func (c *Client) ImportRuntime(ctx context.Context, a Archive, step func(ml.InstallProgress)) (*ml.Runtime, error) {
	return stream[ml.InstallProgress, ml.Runtime](ctx, c, "/hearth/v1/runtimes:import", a, "runtime", step)
}

// stream posts a request and hands each line of the answer to step but the last,
// which has the result under key.
func stream[P, R any](ctx context.Context, c *Client, path string, request any, key string, step func(P)) (*R, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	req, err := c.request(ctx, http.MethodPost, path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return readProgress[P, R](resp.Body, key, step)
}

// Reindexed counts what a reindexing of the bucket did.
type Reindexed struct {
	// Objects were looked at. Of these, Added were not in the index and Changed
	// differed from it; Removed were in the index only.
	Objects int64 `json:"objects"`
	Added   int64 `json:"added"`
	Changed int64 `json:"changed"`
	Removed int64 `json:"removed"`
	// Bytes were read to find checksums.
	Bytes int64 `json:"bytes"`
}

// Reindex makes the bucket's index anew from what is stored and hands the
// counts so far to step now and then.
func (c *Client) Reindex(ctx context.Context, step func(Reindexed)) (*Reindexed, error) {
	req, err := c.request(ctx, http.MethodPost, "/hearth/v1/storage:reindex", nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return readProgress[Reindexed, Reindexed](resp.Body, "result", step)
}

// readProgress reads an answer that grows while the daemon works: lines of
// JSON, each a step, the last one with the result under a key or an error.
// Without that line the answer was cut off.
func readProgress[Step, Result any](body io.Reader, key string, step func(Step)) (*Result, error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var end map[string]json.RawMessage
		if err := json.Unmarshal(lines.Bytes(), &end); err != nil {
			return nil, fmt.Errorf("read the progress: %w", err)
		}
		if raw, ok := end["error"]; ok {
			var e errorObject
			if err := json.Unmarshal(raw, &e); err != nil {
				return nil, fmt.Errorf("read the progress: %w", err)
			}
			return nil, e.toError(e.Code)
		}
		if raw, ok := end[key]; ok {
			result := new(Result)
			if err := json.Unmarshal(raw, result); err != nil {
				return nil, fmt.Errorf("read the progress: %w", err)
			}
			return result, nil
		}
		var s Step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, fmt.Errorf("read the progress: %w", err)
		}
		step(s)
	}
	return nil, errors.Join(ml.Errorf(ml.Unavailable, "the answer was cut off; give the command again to go on"), lines.Err())
}
