package serving

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/ml/crash"
	"hearth/ml/respawn"
	"hearth/serving/frame"
	"hearth/storage/metadata"
)

// task is what is being done about one version.
type task struct {
	key    key
	goal   goal
	cancel context.CancelFunc
	// ended is set by Run alone.
	ended bool
	// settled is called, perhaps more than once, when it is known whether the
	// version answers.
	settled func()
	run     func()
}

// newTask makes the task that an action begins.
func (m *Manager) newTask(ctx context.Context, a action, records []metadata.VersionRecord) *task {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{key: a.key, goal: a.begin, cancel: cancel, settled: func() {}}
	k := &keeper{m: m, key: a.key, settled: func() { t.settled() },
		log: m.o.Log.With().Str("version", a.key.String()).Logger()}
	for _, r := range records {
		if keyOf(r) == a.key {
			k.pool, k.version = m.pool(a.key, r.Version), r.Version
			k.measured = measured{r.Memory, frame.ParseTuning(r.Tuning)}
			for i, replica := range r.Replicas {
				k.replicas = append(k.replicas, newReplica(k, i, replica))
			}
		}
	}
	t.run = func() {
		defer cancel()
		switch t.goal {
		case serve:
			k.serve(ctx)
		case clean:
			k.persist(ctx, k.clean)
		case remove:
			k.remove(ctx)
		}
	}
	return t
}

// keeper does the work of one task.
type keeper struct {
	m       *Manager
	key     key
	version *ml.Version
	pool    *pool
	settled func()
	log     zerolog.Logger

	// creating says that the version has not been READY yet. Only the first replica
	// is at work then.
	creating bool
	// measured is what is known of the version's workers; mu guards it.
	mu       sync.Mutex
	measured measured
	// replicas are those that serve the version, and those of which an earlier version
	// of the name has left a trace.
	replicas []*replica
}

// dir is where the version's model is.
func (k *keeper) dir() string {
	return filepath.Join(k.m.o.Dir, k.key.project, k.key.model, k.key.version)
}

// persist does f until it succeeds or ctx ends: what it does has to be done,
// and what hinders it (a full disk, say) may pass.
func (k *keeper) persist(ctx context.Context, f func(context.Context) error) {
	for delay := time.Duration(0); ctx.Err() == nil; {
		began := time.Now()
		err := f(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		delay = respawn.Next(delay, time.Since(began))
		k.log.Error().Err(err).Dur("again_in", delay).Msg("work on a version failed")
		if !respawn.Pause(ctx, delay) {
			return
		}
	}
}

// clean takes away what a version that FAILED holds: its worker, its
// devices and its files.
// The worker's log stays until the version is deleted.
func (k *keeper) clean(ctx context.Context) error {
	k.pool.close("The version failed.")
	for _, r := range k.replicas {
		if err := r.stopWorker(ctx); err != nil {
			return err
		}
		if err := r.release(); err != nil {
			return err
		}
	}
	return discard(k.dir())
}

// remove takes the version away. It is out of the routes already.
func (k *keeper) remove(ctx context.Context) {
	grace, cancel := context.WithTimeout(ctx, k.m.o.Grace)
	k.pool.drain(grace)
	cancel()
	k.persist(ctx, func(ctx context.Context) error {
		if err := k.clean(ctx); err != nil {
			return err
		}
		for _, r := range k.replicas {
			for n := 1; n <= r.number; n++ {
				if err := k.m.o.Executor.Remove(r.attempt(n)); err != nil {
					return err
				}
			}
		}
		crash.Point("version-removed")
		return k.m.o.DB.FinishDeleteVersion(k.key.project, k.key.model, k.key.version)
	})
	if ctx.Err() == nil {
		k.m.forget(k.key)
		k.log.Info().Msg("version deleted")
	}
}
