package batch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"hearth/ml"
	"hearth/serving/tensor"
	"hearth/serving/worker"
)

// Options say what a worker does.
type Options struct {
	Task ml.PredictionTask
	// Proxy is the address at which the bucket is reached.
	Proxy string
	// Loader loads the model so that each run uses one thread: there are as many
	// runs at once as processors.
	Loader func(dir string) (worker.Servable, error)
	Log    zerolog.Logger
}

// engine does the work of one attempt.
type engine struct {
	task      ml.PredictionTask
	log       zerolog.Logger
	bucket    *bucket
	model     worker.Servable
	signature *tensor.Signature
	// raw: each record is the string that the model takes, in the input text.
	raw     bool
	text    tensor.Spec
	plan    *plan
	journal *journal

	free  chan *batch
	tasks chan *batch
}

// Main does what is left of a batch prediction. An error that the job's owner can
// do something about is left in the state folder as well.
func Main(ctx context.Context, o Options) error {
	err := run(ctx, o)
	if err == nil || ctx.Err() != nil {
		return err
	}
	var shown *ml.Error
	if errors.As(err, &shown) {
		failure := ml.PredictionFailure{Message: shown.Message}
		err = errors.Join(err, writeJSON(filepath.Join(o.Task.StateDir, ml.FileFailure), failure, true))
	}
	return err
}

func run(ctx context.Context, o Options) error {
	lock, err := takeState(ctx, o.Task.StateDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	began := time.Now()
	e := &engine{task: o.Task, log: o.Log}
	e.task.Cores = max(1, e.task.Cores)
	if e.bucket, err = newBucket(o.Proxy, 4*e.task.Cores); err != nil {
		return err
	}
	if err := e.load(o.Loader); err != nil {
		return err
	}
	defer e.model.Close()
	loaded := time.Since(began)
	if e.plan, err = e.makePlan(ctx); err != nil {
		return err
	}
	if e.journal, err = openJournal(e.task.StateDir, e.plan); err != nil {
		return err
	}
	defer e.journal.close()
	e.log.Info().Dur("load_ms", loaded).Dur("plan_ms", time.Since(began)-loaded).Int("files", len(e.plan.Inputs)).Int("shards", len(e.plan.Shards)).
		Int("done_before", e.journal.shards()).Int("batch", e.plan.BatchSize).Msg("the plan is made")
	err = e.work(ctx)
	if err == nil {
		err = e.checkErrors()
	}
	e.journal.tell(e.journal.total())
	if err == nil {
		t := e.journal.total()
		e.log.Info().Int64("predictions", t.Predictions).Int64("errors", t.Errors).Dur("took_ms", time.Since(began)).Msg("done")
	}
	return err
}

// takeState makes sure that no other worker of the job is at work: one whose
// supervisor is lost may need a moment to end.
func takeState(ctx context.Context, dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the job's lock: %w", err)
	}
	for began := time.Now(); ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if time.Since(began) > time.Minute || ctx.Err() != nil {
			f.Close()
			return nil, fmt.Errorf("another worker of the job is at work: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// load brings the model into memory and finds how its signature takes records.
func (e *engine) load(loader func(string) (worker.Servable, error)) error {
	model, err := loader(e.task.ModelDir)
	if err != nil {
		return ml.Errorf(ml.InvalidArgument, "The model cannot be loaded: %s", sentence(err))
	}
	e.model = worker.WithFixed(model)
	if e.signature, err = tensor.Select(e.model.Signatures(), e.task.Input.SignatureName); err != nil {
		return err
	}
	only, single := e.signature.OnlyString()
	switch {
	case e.records() && !single:
		return ml.Errorf(ml.InvalidArgument, "The signature %s cannot take TFRecords: each goes, as bytes, to the only input of a signature, which has to be a string; this one has the inputs %s.",
			e.signature.Name, describe(e.signature.Inputs))
	case e.records(), e.task.Input.DataFormat == ml.FormatText && single:
		e.raw, e.text = true, only
		return nil
	}
	_, err = tensor.NewRows(e.signature)
	return err
}

func (e *engine) fixedBatch() int {
	if n := e.signature.FixedBatch(); n > 0 {
		return int(n)
	}
	return int(e.task.Input.BatchSize)
}

// work does the shards that are left.
func (e *engine) work(ctx context.Context) error {
	lanes := min(e.task.Cores+1, len(e.plan.Shards))
	e.free = make(chan *batch, 2*e.task.Cores+lanes)
	for range cap(e.free) {
		e.free <- &batch{}
	}
	e.tasks = make(chan *batch, cap(e.free))
	g, ctx := errgroup.WithContext(ctx)
	var runners sync.WaitGroup
	for range e.task.Cores {
		runners.Go(func() {
			r := e.newRunner()
			for b := range e.tasks {
				r.do(ctx, b)
				close(b.done)
			}
		})
	}
	telling, told := context.WithCancel(ctx)
	teller := make(chan struct{})
	go func() { defer close(teller); e.journal.keepTelling(telling) }()
	left := make(chan int)
	g.Go(func() error {
		defer close(left)
		for i := range e.plan.Shards {
			if e.journal.isDone(i) {
				continue
			}
			select {
			case left <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range lanes {
		g.Go(func() error {
			for i := range left {
				if err := e.doShard(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	close(e.tasks)
	runners.Wait()
	told()
	<-teller
	return err
}

// checkErrors fails the job if too many of its records were bad.
func (e *engine) checkErrors() error {
	t := e.journal.total()
	if all := t.Predictions + t.Errors; t.Errors > 0 && float64(t.Errors) > e.task.MaxErrorRate*float64(all) {
		return ml.Errorf(ml.InvalidArgument, "%d of %d records failed, more than the %g %% that are allowed ([batch] max_error_rate); %s/prediction.errors-* say why.",
			t.Errors, all, 100*e.task.MaxErrorRate, e.task.Input.OutputPath)
	}
	return nil
}
