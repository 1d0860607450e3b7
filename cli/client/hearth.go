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

// Status is what a daemon says of itself and its machine.
type Status struct {
	Version       string          `json:"version"`
	Endpoint      string          `json:"endpoint"`
	Project       string          `json:"project"`
	Data          string          `json:"data"`
	Ready         bool            `json:"ready"`
	Pid           int             `json:"pid"`
	UptimeSeconds float64         `json:"uptimeSeconds"`
	Isolation     Isolation       `json:"isolation"`
	Slots         Slots           `json:"slots"`
	Devices       []Device        `json:"devices"`
	GPUError      string          `json:"gpuError,omitempty"`
	Queue         []QueuedJob     `json:"queue"`
	Versions      []ServedVersion `json:"versions"`
	Disk          Disk            `json:"disk"`
	Runtimes      []string        `json:"runtimes"`
}

// Isolation says how well jobs are kept apart from the daemon and each other.
type Isolation struct {
	Level  string   `json:"level"`
	Detail []string `json:"detail,omitempty"`
}

// Slots is what jobs may lease, and what of it is free.
type Slots struct {
	Total ml.Resources `json:"total"`
	Free  ml.Resources `json:"free"`
}

// Device is one GPU.
type Device struct {
	UUID        string `json:"uuid"`
	Name        string `json:"name"`
	MemoryBytes int64  `json:"memoryBytes"`
	Health      string `json:"health"`
}

// QueuedJob is a job that has not ended; Position counts from 1 among those
// that wait, 0 for one that runs.
type QueuedJob struct {
	Job      string      `json:"job"`
	State    ml.JobState `json:"state"`
	Position int         `json:"position,omitempty"`
}

// ServedVersion is a version and the process that serves it.
type ServedVersion struct {
	Model    string          `json:"model"`
	Version  string          `json:"version"`
	State    ml.VersionState `json:"state"`
	Default  bool            `json:"default"`
	Pid      int             `json:"pid,omitempty"`
	Restarts int             `json:"restarts"`
}

// Disk is the file system of the data folder.
type Disk struct {
	Path       string `json:"path"`
	TotalBytes int64  `json:"totalBytes"`
	FreeBytes  int64  `json:"freeBytes"`
}

// Status asks the daemon how it is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	out := new(Status)
	return out, c.call(ctx, http.MethodGet, "/hearth/v1/status", nil, out)
}

// CA gives the certificates to trust behind the daemon's proxy, as PEM.
func (c *Client) CA(ctx context.Context) ([]byte, error) {
	var out []byte
	err := c.call(ctx, http.MethodGet, "/hearth/v1/ca", nil, &out)
	return out, err
}

// Runtime is an installed TensorFlow.
type Runtime struct {
	Name       string `json:"name"`
	TensorFlow string `json:"tensorflow"`
	Python     string `json:"python"`
	State      string `json:"state"`
	Default    bool   `json:"default"`
	SizeBytes  int64  `json:"sizeBytes"`
}

// Runtimes gives the runtimes that there are.
func (c *Client) Runtimes(ctx context.Context) ([]Runtime, error) {
	var out struct {
		Runtimes []Runtime `json:"runtimes"`
	}
	err := c.call(ctx, http.MethodGet, "/hearth/v1/runtimes", nil, &out)
	return out.Runtimes, err
}

// RemoveRuntime deletes a runtime. NOT_FOUND, FAILED_PRECONDITION while it is
// used.
func (c *Client) RemoveRuntime(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, "/hearth/v1/runtimes/"+segment(name), nil, nil)
}

// InstallProgress is one step of an install. TotalBytes is 0 where nobody
// knows.
type InstallProgress struct {
	Phase      string `json:"phase"`
	Package    string `json:"package"`
	DoneBytes  int64  `json:"doneBytes"`
	TotalBytes int64  `json:"totalBytes"`
	Message    string `json:"message"`
}

// InstallRequest names a runtime to install; Wheelhouse is a folder of the
// daemon's machine, empty to take the packages from the network.
type InstallRequest struct {
	Name       string `json:"name"`
	Wheelhouse string `json:"wheelhouse,omitempty"`
}

// InstallRuntime installs a runtime and hands its progress to step. A runtime
// that is already there is given at once.
func (c *Client) InstallRuntime(ctx context.Context, r InstallRequest, step func(InstallProgress)) (*Runtime, error) {
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
func readInstall(body io.Reader, step func(InstallProgress)) (*Runtime, error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			InstallProgress
			Runtime *Runtime     `json:"runtime"`
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
