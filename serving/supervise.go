package serving

import (
	"context"
	"errors"
	"strings"
	"sync"

	"hearth/ml"
	"hearth/ml/crash"
)

// serve makes the version ready, if it is not yet, and then keeps its replicas
// until ctx ends. It returns early if the version FAILED or is no longer CREATING when
// it becomes ready.
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
	replicas := k.replicas[:k.version.Replicas()]
	if k.creating {
		k.keepInTurn(ctx, replicas)
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	for _, r := range replicas {
		all.Go(func() { r.keep(ctx, func() {}) })
	}
}

// keepInTurn begins with a replica when the one before it answers: each tunes itself
// as it loads, and would measure the others.
func (k *keeper) keepInTurn(ctx context.Context, replicas []*replica) {
	var rest sync.WaitGroup
	defer rest.Wait()
	replicas[0].keep(ctx, sync.OnceFunc(func() {
		if len(replicas) > 1 {
			rest.Go(func() { k.keepInTurn(ctx, replicas[1:]) })
		}
	}))
}

// finish makes the version READY. It is false if there is no such version to be
// finished any more.
func (k *keeper) finish(ctx context.Context) bool {
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
