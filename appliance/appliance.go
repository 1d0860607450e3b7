package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"hearth/appliance/api"
	"hearth/gpu"
	"hearth/scheduler"
	"hearth/scheduler/process"
	"hearth/scheduler/runtimes"
	"hearth/serving"
	"hearth/storage/lineage"
	"hearth/storage/logs"
	"hearth/storage/metadata"
	"hearth/storage/object"
)

// Appliance is a running installation. Open makes one.
type Appliance struct {
	config  Config
	version string
	log     zerolog.Logger
	began   time.Time

	// closers undo Open, last first.
	closers []func() error

	db         *metadata.DB
	logs       *logs.Store
	supervisor *process.Supervisor
	minio      *minioServer // nil unless Hearth runs one
	objects    object.Store
	reserve    int64 // what stays free on the bucket's disk, in bytes
	lineage    *lineage.Recorder
	runtimes   *runtimes.Store
	gpus       *gpu.Driver
	gpuError   error
	scheduler  *scheduler.Scheduler
	serving    *serving.Manager
	door       *api.Server

	ready, endWorkers atomic.Bool
}

// Open takes the data folder, opens everything in it and listens, but serves
// nothing before Run. ctx bounds the wait for the bucket's server. config must
// be resolved. An error leaves nothing open.
func Open(ctx context.Context, config Config, version string, log zerolog.Logger) (*Appliance, error) {
	a := &Appliance{config: config, version: version, log: log, began: time.Now()}
	for _, step := range []func(context.Context) error{
		a.openData, a.openRecords, a.openGPUs, a.openProcesses, a.openDoor, a.openBucket, a.openScheduler, a.openServing, a.mount,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	return a, nil
}

// path gives a place in the data folder.
func (a *Appliance) path(name string) string { return filepath.Join(a.config.Data, name) }

func (a *Appliance) component(name string) zerolog.Logger {
	return a.log.With().Str("component", name).Logger()
}

func (a *Appliance) closeLater(c io.Closer) { a.closers = append(a.closers, c.Close) }

func (a *Appliance) openData(context.Context) error {
	if err := os.MkdirAll(a.config.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := lockData(a.config.Data)
	if err != nil {
		return err
	}
	a.closeLater(lock)
	return nil
}

// openRecords opens what is kept about jobs, models and versions.
func (a *Appliance) openRecords(context.Context) error {
	db, err := metadata.Open(a.path("hearth.db"))
	if err != nil {
		return err
	}
	a.db = db
	a.closeLater(db)
	a.logs = logs.Open(a.path("attempts"))
	a.lineage, err = lineage.Open(a.path("lineage"), a.component("lineage"))
	return err
}

// openGPUs finds the devices. A driver that is there but fails does not keep
// the daemon from starting: it is said loudly, here and in the status.
func (a *Appliance) openGPUs(context.Context) error {
	a.gpus, a.gpuError = gpu.Detect()
	if a.gpuError != nil {
		a.log.Error().Err(a.gpuError).Msg("a GPU driver is present but fails: jobs that need a GPU are refused")
	}
	if a.gpus != nil {
		a.closeLater(a.gpus)
	}
	return nil
}

// Run serves until ctx ends. Jobs and model workers go on after it. It returns
// nil unless a component failed.
func (a *Appliance) Run(ctx context.Context) error {
	a.log.Info().Str("address", a.door.Addr().String()).Str("data", a.config.Data).Str("version", a.version).
		Str("isolation", a.supervisor.Isolation().Level).Msg("serving")
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.door.Run(ctx) })
	g.Go(func() error { return a.scheduler.Run(ctx) })
	g.Go(func() error { return a.serving.Run(ctx) })
	g.Go(func() error { return a.lineage.Run(ctx) })
	if a.minio != nil {
		g.Go(func() error { return a.minio.Run(ctx) })
	}
	g.Go(func() error { return a.watchGPUs(ctx) })
	g.Go(func() error { return a.sampleGPUs(ctx) })
	g.Go(func() error { return a.collectEnvironments(ctx) })
	g.Go(func() error { return a.awaitReady(ctx) })
	err := g.Wait()
	a.lineage.Flush() // what the last requests used
	if a.endWorkers.Load() {
		err = errors.Join(err, a.endServers(context.WithoutCancel(ctx)))
	}
	a.log.Info().Msg("ended")
	return err
}

// EndWorkers makes Run end the model workers, and the MinIO server that Hearth
// runs, when it ends: nobody is going to take them over soon.
func (a *Appliance) EndWorkers() { a.endWorkers.Store(true) }

func (a *Appliance) endServers(ctx context.Context) error {
	err := a.serving.EndWorkers(ctx)
	if a.minio != nil {
		err = errors.Join(err, a.minio.end(ctx))
	}
	return err
}

// awaitReady says when jobs are re-attached and versions loaded.
func (a *Appliance) awaitReady(ctx context.Context) error {
	for _, ready := range []<-chan struct{}{a.scheduler.Ready(), a.serving.Ready()} {
		select {
		case <-ready:
		case <-ctx.Done():
			return nil
		}
	}
	a.ready.Store(true)
	a.log.Info().Dur("after", time.Since(a.began)).Msg("ready")
	return nil
}

// Close gives back all that Open took.
func (a *Appliance) Close() error {
	var errs []error
	for len(a.closers) > 0 {
		last := len(a.closers) - 1
		errs = append(errs, a.closers[last]())
		a.closers = a.closers[:last]
	}
	return errors.Join(errs...)
}
