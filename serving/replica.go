package serving

import (
	"context"
	"errors"
	"time"

	"hearth/ml"
	"hearth/ml/crash"
	"hearth/ml/respawn"
	"hearth/storage/metadata"
)

// replica keeps one of the workers that serve a version side by side.
type replica struct {
	*keeper
	index int
	// gpus are the UUIDs of the devices that it leases.
	gpus []string
	// reserved is the memory that it was promised for loading, in bytes.
	reserved int64

	// number is that of the newest worker, 0 if there never was one; over is
	// true once it has ended, fresh if this replica was the one to start it.
	number      int
	over, fresh bool
}

func newReplica(k *keeper, index int, r metadata.VersionReplica) *replica {
	return &replica{keeper: k, index: index, number: r.WorkerNumber, gpus: r.GPUs}
}

// tenant is the name by which it leases devices: that of the version for the first.
func (r *replica) tenant() string { return ml.ReplicaName(r.key.String(), r.index) }

// keep has a worker for the replica until ctx ends, or until the version FAILED or is
// no longer CREATING when it becomes ready. It calls opened once a worker answers.
func (r *replica) keep(ctx context.Context, opened func()) {
	if r.version.OnDemand() && !r.creating && !r.resume(ctx) && !r.rest(ctx) {
		return
	}
	for delay := time.Duration(0); ctx.Err() == nil; {
		w, err := r.startWorker(ctx)
		if err == nil {
			m, ok := r.open(ctx, w)
			if !ok {
				w.release()
				return
			}
			opened()
			var unloaded bool
			if delay, unloaded = r.watch(ctx, w, m, delay); unloaded {
				if !r.rest(ctx) {
					return
				}
				continue
			}
		} else {
			if ctx.Err() != nil {
				return
			}
			if r.creating && !errors.Is(err, errLost) {
				r.fail(ctx, err)
				return
			}
			if r.fresh {
				r.settled()
			}
			delay = respawn.Next(delay, 0)
			r.pool.say("The version's worker could not be started: " + sentence(err))
			r.log.Error().Err(err).Dur("again_in", delay).Msg("worker not started")
		}
		if !respawn.Pause(ctx, delay) {
			return
		}
	}
}

// open lets requests go to a worker, and makes the version READY if it is not. The
// pool is opened first, so that whoever sees it READY gets an answer. It is false if
// there is no such version to be finished any more.
func (r *replica) open(ctx context.Context, w *workerProcess) (*member, bool) {
	r.weigh(ml.WeightNormal)
	m := r.pool.up(r.index, w)
	w.conn, w.link = nil, nil
	r.log.Info().Int("pid", w.pid).Str("attempt", r.attempt(r.number)).Msg("worker answers")
	if r.creating {
		crash.Point("version-loaded")
		if !r.finish(ctx) {
			return nil, false
		}
		r.creating = false
	}
	r.settled()
	r.note(measured{w.memory, w.tuning})
	return m, true
}

// watch waits for the worker's end and gives the pause before the next one, or says
// that it was unloaded. The end of ctx leaves the worker, and the pool, as they are.
func (r *replica) watch(ctx context.Context, w *workerProcess, m *member, delay time.Duration) (pause time.Duration, unloaded bool) {
	began := time.Now()
	defer w.release()
	for {
		select {
		case exit := <-w.exit:
			r.over = true
			delay = respawn.Next(delay, time.Since(began))
			r.pool.quarantine.ended(fromOutside(exit))
			r.pool.down(m, "The version's worker ended and is being started again; try again.")
			r.log.Error().Int("pid", w.pid).Str("exit", exit.Sentence()).Dur("again_in", delay).Msg("worker ended")
			return delay, false
		case <-r.unused(m):
			if r.unload(ctx, m, r.m.o.Idle) {
				return 0, true
			}
		case done := <-r.pool.unload:
			ok := r.unload(ctx, m, 0)
			done <- ok
			if ok {
				return 0, true
			}
		case <-ctx.Done():
			return delay, false
		}
	}
}
