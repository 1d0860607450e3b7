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
}

// InstallRuntime installs a runtime and hands its progress to step. A runtime
// that is already there is given at once.
func (c *Client) InstallRuntime(ctx context.Context, r InstallRequest, step func(ml.InstallProgress)) (*ml.Runtime, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	req, err := c.request(ctx, http.MethodPost, "/hearth/v1/runtimes", bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return readInstall(resp.Body, step)
}

// readInstall reads the lines of an install's answer. The last one holds the
// runtime or an error; without it the install was cut off.
func readInstall(body io.Reader, step func(ml.InstallProgress)) (*ml.Runtime, error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			ml.InstallProgress
			Runtime *ml.Runtime  `json:"runtime"`
			Error   *errorObject `json:"error"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("read the install's progress: %w", err)
		}
		switch {
		case line.Error != nil:
			return nil, line.Error.toError(line.Error.Code)
		case line.Runtime != nil:
			return line.Runtime, nil
		}
		step(line.InstallProgress)
	}
	return nil, errors.Join(ml.Errorf(ml.Unavailable, "the install was cut off; give the command again to go on with it"), lines.Err())
}
