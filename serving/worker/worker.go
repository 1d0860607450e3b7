package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/serving/frame"
	"hearth/serving/handover"
)

// Options says what a worker serves and where.
type Options struct {
	// Dir is the process folder, in which the socket is made.
	Dir string
	// ModelDir is what Loader loads, in each of the ways of Threads; the best is
	// kept.
	ModelDir string
	Loader   Loader
	Threads  []Threads
	// Runs is how many session runs may be under way at once at most; 0 means one
	// per processor.
	Runs int
	// Tuning is how an earlier worker found that the model runs best; without it, or if
	// it is of a machine with more or fewer processors, this one tries that out.
	Tuning *frame.Tuning
	Limits Limits
	// Stuck is called if a run has not returned long after its time; by default it
	// ends the process, since nothing else can end a run.
	Stuck func()
	Log   zerolog.Logger
	// processors is how many the machine has for this process.
	processors int
}

func (o *Options) setDefaults() {
	o.processors = runtime.GOMAXPROCS(0)
	if o.Runs <= 0 {
		o.Runs = o.processors
	}
	o.Limits.setDefaults()
}

// Main is the life of a worker: it listens, loads, warms up, serves, and
// returns after a SIGTERM or the end of ctx, once the requests that it has read
// are answered. A model that cannot be served is no error: the worker says so
// to those who ask.
func Main(ctx context.Context, o Options) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	o.setDefaults()
	// A run keeps its place among Go's processors while it computes in C, until the
	// scheduler notices: with twice the places other requests are read and parsed
	// meanwhile.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * o.processors))
	if o.Stuck == nil {
		o.Stuck = func() { os.Exit(exitStuck) }
	}
	// The socket comes before the model, so that one can ask how far it is.
	l, err := frame.Listen(o.Dir)
	if err != nil {
		return fmt.Errorf("start model worker: %w", err)
	}
	w := &worker{log: o.Log, state: frame.Loading, changed: make(chan struct{})}
	direct := newDirect(o.Limits, w.ready, o.Log)
	post, err := handover.Listen(o.Dir, direct.take)
	if err != nil {
		l.Close()
		return fmt.Errorf("start model worker: %w", err)
	}
	var background sync.WaitGroup
	background.Go(func() { w.load(ctx, o) })
	background.Go(func() {
		if err := post.Serve(); err != nil {
			w.log.Error().Err(err).Msg("no more connections are taken")
		}
	})
	watching, unwatch := context.WithCancel(context.Background())
	background.Go(func() { w.watch(watching, o) })
	err = w.serve(ctx, l)
	unwatch()
	post.Close()
	direct.stop()
	post.Hangup()
	background.Wait()
	return err
}

// exitStuck is the status of a worker that ended because of a run that did not.
const exitStuck = 70

// watchEvery is how often one looks for runs that do not return.
const watchEvery = time.Second

// watch ends the worker if a run does not return: its place at the session is lost,
// and so would be all others, one by one. The daemon starts another worker.
func (w *worker) watch(ctx context.Context, o Options) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		h := w.ready()
		if h == nil {
			continue
		}
		if began := h.turns.oldest(); !began.IsZero() && time.Since(began) > o.Limits.Timeout+o.Limits.Stuck {
			w.log.Error().Dur("under_way_ms", time.Since(began)).Msg("a run of the model does not return; the worker ends, to be started again")
			o.Stuck()
			return
		}
	}
}

// worker is how far loading is, and what answers once it is done.
type worker struct {
	log zerolog.Logger

	mu      sync.Mutex
	state   int
	message string
	tuning  string // frame.Tuning
	handler *Handler
	changed chan struct{} // closed when the state is final
}

// load brings the worker from Loading to Ready or Failed. The end of the
// process gives the model's memory back.
func (w *worker) load(ctx context.Context, o Options) {
	began := time.Now()
	handler, m, err := prepare(ctx, o)
	if err != nil {
		w.log.Error().Err(err).Msg("the model cannot be served")
		w.set(frame.Failed, sentence(err), "", nil)
		return
	}
	w.log.Info().Dur("took", time.Since(began)).Msg("the model is loaded and warm")
	tuning := m.tuning().String()
	if len(tuning) > frame.MaxHead {
		tuning = "" // of a model with hundreds of signatures, which then is tried out again
	}
	w.set(frame.Ready, m.String(), tuning, handler)
}

// Open loads a model and warms it up, for a program that asks it by itself.
func Open(ctx context.Context, o Options) (*Handler, error) {
	o.setDefaults()
	h, _, err := prepare(ctx, o)
	return h, err
}

// prepare loads and warms up. A panic on the way is an error like others.
func prepare(ctx context.Context, o Options) (h *Handler, m *loaded, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("loading panicked: %v", p)
		}
	}()
	if m, err = load(ctx, o); err != nil {
		return nil, nil, err
	}
	return NewHandler(m, o.Limits.InFlight, m.runs, m.batches, o.Log), m, nil
}

// sentence gives what the model's owner is told of an error.
func sentence(err error) string {
	var e *ml.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

func (w *worker) set(state int, message, tuning string, h *Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state, w.message, w.tuning, w.handler = state, message, tuning, h
	close(w.changed)
}

// ready gives what answers, nil if nothing does.
func (w *worker) ready() *Handler {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.handler
}
