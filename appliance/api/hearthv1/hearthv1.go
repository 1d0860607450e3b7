package hearthv1

import (
	"context"
	"net/http"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/storage/object"
)

// Options is where the answers come from.
type Options struct {
	Status func(ctx context.Context) (ml.Installation, error)
	// ClearGPU lets a device be used again that an error has condemned;
	// NOT_FOUND if there is none such.
	ClearGPU func(uuid string) error
	// Queue tells what the scheduler is at.
	Queue    func() ml.Queue
	Runtimes Runtimes
	// CA gives the PEM bundle that clients of the proxy must trust.
	CA func() ([]byte, error)
	// Lineage tells what a job has read and written; NOT_FOUND if there is no
	// such job.
	Lineage func(project, job string) (ml.Lineage, error)
	// Usage tells what the replicas of a job have used; NOT_FOUND if it has not
	// been started.
	Usage func(project, job string) (ml.Usage, error)
	// Progress tells how far a batch prediction is; NOT_FOUND if there is no such
	// job.
	Progress func(project, job string) (ml.PredictionProgress, error)
	// Reindex makes the bucket's index anew and calls progress on the way.
	Reindex func(ctx context.Context, progress func(object.Reindexed)) (object.Reindexed, error)
}

// Runtimes is what this API asks of the runtimes' keeper. Install blocks until
// the runtime is there and calls progress on the way; it goes on although ctx
// ends, since the next caller would only have to start it again.
type Runtimes interface {
	List() ([]ml.Runtime, error)
	Install(ctx context.Context, name, wheelhouse, python string, progress func(ml.InstallProgress)) (ml.Runtime, error)
	// Export writes a runtime with its wheels to a file of the daemon's machine,
	// Import makes one of it.
	Export(ctx context.Context, name, file string, progress func(ml.InstallProgress)) error
	Import(ctx context.Context, file, python string, progress func(ml.InstallProgress)) (ml.Runtime, error)
	Remove(name string) error
}

const maxBody = 1 << 20

// New gives the handler of everything below /hearth/v1/.
func New(o Options) http.Handler {
	m := rest.NewMux()
	m.Handle("GET", "/hearth/v1/status", func(r *http.Request, _ rest.Params) (any, error) {
		return o.Status(r.Context())
	})
	m.Handle("POST", "/hearth/v1/gpus/{gpu}:clear", func(_ *http.Request, p rest.Params) (any, error) {
		return nil, o.ClearGPU(p.Get("gpu"))
	})
	m.Handle("GET", "/hearth/v1/queue", func(*http.Request, rest.Params) (any, error) { return o.Queue(), nil })
	m.Handle("GET", "/hearth/v1/runtimes", func(*http.Request, rest.Params) (any, error) {
		list, err := o.Runtimes.List()
		return map[string][]ml.Runtime{"runtimes": list}, err
	})
	m.HandleRaw("POST", "/hearth/v1/runtimes", o.install)
	m.HandleRaw("POST", "/hearth/v1/runtimes:import", o.importRuntime)
	m.HandleRaw("POST", "/hearth/v1/runtimes/{name}:export", o.exportRuntime)
	m.Handle("DELETE", "/hearth/v1/runtimes/{name}", func(_ *http.Request, p rest.Params) (any, error) {
		return nil, o.Runtimes.Remove(p.Get("name"))
	})
	m.Handle("GET", "/hearth/v1/projects/{project}/jobs/{job}/lineage", func(_ *http.Request, p rest.Params) (any, error) {
		return o.Lineage(p.Get("project"), p.Get("job"))
	})
	m.Handle("GET", "/hearth/v1/projects/{project}/jobs/{job}/usage", func(_ *http.Request, p rest.Params) (any, error) {
		return o.Usage(p.Get("project"), p.Get("job"))
	})
	m.Handle("GET", "/hearth/v1/projects/{project}/jobs/{job}/progress", func(_ *http.Request, p rest.Params) (any, error) {
		return o.Progress(p.Get("project"), p.Get("job"))
	})
	m.HandleRaw("POST", "/hearth/v1/storage:reindex", (&reindexer{run: o.Reindex}).serve)
	m.HandleRaw("GET", "/hearth/v1/ca", func(w http.ResponseWriter, _ *http.Request, _ rest.Params) error {
		pem, err := o.CA()
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		// A client that went away cannot be told.
		_, _ = w.Write(pem)
		return nil
	})
	return m
}
