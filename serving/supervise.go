package serving

import (
	"context"
	"errors"
	"strings"
	"time"

	"hearth/ml"
	"hearth/ml/crash"
	"hearth/ml/respawn"
)

// serve makes the version ready, if it is not yet, and then keeps a worker
// running for it until ctx ends. It returns early if the version FAILED or is
// no longer CREATING when it becomes ready.
func (k *keeper) serve(ctx context.Context) {
	defer k.settled()
	k.creating = k.version.State == ml.VersionCreating
	if k.creating {
		if err := k.m.fetch(ctx, k.version.DeploymentURI, k.dir()); err != nil {
			k.fail(ctx, err)
			return
		}
		crash.Point("version-copied")
	}
	for delay := time.Duration(0); ctx.Err() == nil; {
		w, err := k.startWorker(ctx)
		if err == nil {
			if k.creating {
				crash.Point("version-loaded")
				if !k.finish(ctx, w) {
					w.release()
					return
				}
				k.creating = false
			} else {
				k.open(w)
			}
			delay = k.watch(ctx, w, delay)
		} else {
			if ctx.Err() != nil {
				return
			}
			if k.creating && !errors.Is(err, errLost) {
				k.fail(ctx, err)
				return
			}
			if k.fresh {
				k.settled()
			}
			delay = respawn.Next(delay, 0)
			k.pool.down("The version's worker could not be started: " + sentence(err))
			k.log.Error().Err(err).Dur("again_in", delay).Msg("worker not started")
		}
		if !respawn.Pause(ctx, delay) {
			return
		}
	}
}

// finish makes the version READY. The pool is opened first, so that whoever
// sees it READY gets an answer. It is false if there is no such version to be
// finished any more.
func (k *keeper) finish(ctx context.Context, w *workerProcess) bool {
	k.open(w)
	gone := false
	k.persist(ctx, func(context.Context) error {
		_, err := k.m.o.DB.FinishVersion(k.key.project, k.key.model, k.key.version, nil)
		if kind := ml.KindOf(err); kind == ml.NotFound || kind == ml.FailedPrecondition {
			gone = true
			return nil
		}
		if err != nil {
			return err
		}
		_, err = k.m.refresh()
		return err
	})
	if !gone && ctx.Err() == nil {
		k.log.Info().Msg("version is READY")
	}
	return !gone
}

func (k *keeper) open(w *workerProcess) {
	k.weigh(ml.WeightNormal)
	k.pool.up(w)
	w.conn, w.link = nil, nil
	k.settled()
	k.log.Info().Int("pid", w.pid).Str("attempt", k.attempt(k.number)).Msg("worker answers")
}

// watch waits for the worker's end and gives the pause before the next one. The
// end of ctx leaves the worker, and the pool, as they are.
func (k *keeper) watch(ctx context.Context, w *workerProcess, delay time.Duration) time.Duration {
	began := time.Now()
	defer w.release()
	select {
	case exit := <-w.exit:
		k.over = true
		delay = respawn.Next(delay, time.Since(began))
		k.pool.quarantine.ended(fromOutside(exit))
		k.pool.down("The version's worker ended and is being started again; try again.")
		k.log.Error().Int("pid", w.pid).Str("exit", exit.Sentence()).Dur("again_in", delay).Msg("worker ended")
	case <-ctx.Done():
	}
	return delay
}

// fromOutside says whether somebody ended the worker, who may be the operator or, for
// the memory of others, the kernel.
func fromOutside(exit ml.Exit) bool {
	return exit.Lost || exit.Stopped || exit.Signal == "SIGKILL" && !exit.OutOfMemory && !exit.OutOfDisk
}

// fail makes the version FAILED.
func (k *keeper) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	status := &ml.Status{Code: ml.KindOf(err), Message: "Create Version failed. " + sentence(err)}
	k.persist(ctx, func(context.Context) error {
		_, err := k.m.o.DB.FinishVersion(k.key.project, k.key.model, k.key.version, status)
		if kind := ml.KindOf(err); kind == ml.NotFound || kind == ml.FailedPrecondition {
			return nil // deleted in the meantime
		}
		return err
	})
	crash.Point("version-failed")
	k.log.Warn().Err(err).Msg("version FAILED")
}

// sentence gives what may be shown of an error. What is not ours comes of this
// very machine, whose owner asks: it is shown too.
func sentence(err error) string {
	var e *ml.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return strings.TrimSuffix(err.Error(), ".") + "."
}
