package serving

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hearth/ml"
	"hearth/ml/crash"
	"hearth/ml/respawn"
	"hearth/serving/frame"
	"hearth/serving/handover"
)

// errLost says that a worker ended while nobody was looking, or for no reason of
// its own: the host was restarted, say. It is to be started again.
var errLost = errors.New("the version's worker was lost")

// workerTask is the name of a worker's process in its attempt.
const workerTask = "model-worker"

// stateWait is how long one question for a worker's state waits for loading to
// end; it is asked again then.
const stateWait = 30 * time.Second

// workerProcess is a worker that is READY.
type workerProcess struct {
	folder string
	pid    int
	// how says how it runs the model, and tuning for another worker.
	how    string
	tuning *frame.Tuning
	// memory is what it holds, in bytes.
	memory int64
	// conn is a connection to it, nil once given away.
	conn *frame.Conn
	// link lends it connections, nil if it takes none.
	link *handover.Link
	exit <-chan ml.Exit
	// release ends the waiting for exit; the worker goes on.
	release func()
}

// attemptID names the attempt of a replica's worker: PROJECT.MODEL.VERSION.N for the
// first replica, PROJECT.MODEL.VERSION-I.N for the others.
func attemptID(k key, replica, n int) string {
	version := k.version
	if replica > 0 {
		version += "-" + strconv.Itoa(replica)
	}
	return strings.Join([]string{k.project, k.model, version, strconv.Itoa(n)}, ".")
}

func processID(k key, replica, n int) string { return attemptID(k, replica, n) + "/" + workerTask }

func (r *replica) attempt(n int) string { return attemptID(r.key, r.index, n) }

func (r *replica) process(n int) string { return processID(r.key, r.index, n) }

// startWorker finds the worker that was started before, or starts one, and
// waits until it is READY. A worker that cannot become READY is ended.
func (r *replica) startWorker(ctx context.Context) (*workerProcess, error) {
	defer r.vacate()
	if err := r.launch(ctx); err != nil {
		return nil, err
	}
	id := r.process(r.number)
	defer r.yield()()
	watching, release := context.WithCancel(ctx)
	ended, exits := r.await(watching, id)
	loading, cancel := context.WithTimeoutCause(ended, r.m.o.LoadTimeout, ml.Errorf(ml.DeadlineExceeded, "Loading the model took longer than %s.", r.m.o.LoadTimeout))
	defer cancel()
	conn, state, err := askUntilReady(loading, r.m.o.Executor.Folder(id))
	if err == nil {
		folder := r.m.o.Executor.Folder(id)
		return &workerProcess{folder: folder, pid: conn.PeerPID(), how: state.how, tuning: state.tuning, memory: memoryOf(conn.PeerPID()),
			conn: conn, link: r.link(loading, folder), exit: exits, release: release}, nil
	}
	defer release()
	if ended.Err() != nil {
		select {
		case exit := <-exits:
			r.over = true
			return nil, r.explainExit(id, exit)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if stopErr := r.stopWorker(ctx); stopErr != nil {
		r.log.Error().Err(stopErr).Msg("worker not ended")
	}
	return nil, err
}

// launch makes the process run under r.number: the one that was started before
// and has not ended as far as we know, else a new one.
func (r *replica) launch(ctx context.Context) error {
	executor := r.m.o.Executor
	r.fresh = r.number == 0 || r.over || !executor.Started(r.process(r.number))
	if r.fresh {
		if err := r.lease(ctx); err != nil {
			return fmt.Errorf("lease GPUs for the version: %w", err)
		}
		if err := r.reserve(ctx); err != nil {
			return err
		}
		n, err := r.m.o.DB.NextWorkerNumber(r.key.project, r.key.model, r.key.version, r.index)
		if err != nil {
			return err
		}
		// The last worker's log stays; older ones have had their time.
		if n > 2 {
			if err := executor.Remove(r.attempt(n - 2)); err != nil {
				r.log.Warn().Err(err).Msg("old attempt not removed")
			}
		}
		r.number, r.over = n, false
		crash.Point("worker-numbered")
	}
	id := r.process(r.number)
	p, err := r.describeProcess(id)
	if err != nil && !executor.Started(id) {
		return err
	}
	// Started before, the process keeps the description of that time.
	if err := executor.Start(ctx, id, p); err != nil {
		return fmt.Errorf("start the version's worker: %w", err)
	}
	crash.Point("worker-started")
	return nil
}

// yieldFor is how long a worker that clients wait for loads on what its neighbours
// leave of the processors.
const yieldFor = 5 * time.Second

// yield lets a worker that is to load yield to its neighbours, whose clients get
// answers: until stop, or until its own clients have waited for long.
func (r *replica) yield() (stop func()) {
	if !r.fresh {
		return func() {} // it may well answer already
	}
	r.weigh(ml.WeightIdle)
	if r.creating || r.pool.answers() {
		return func() {} // nobody waits for it
	}
	late := time.AfterFunc(yieldFor, func() { r.weigh(ml.WeightNormal) })
	return func() { late.Stop() }
}

// weigh sets the worker's claim on the processor. Without it the worker serves all
// the same.
func (r *replica) weigh(w ml.Weight) {
	if err := r.m.o.Executor.SetWeight(r.process(r.number), w); err != nil {
		r.log.Warn().Err(err).Msg("the worker's weight is not set")
	}
}

// describeProcess says what the version's worker is to run.
func (r *replica) describeProcess(id string) (ml.Process, error) {
	runtime, err := r.m.o.Runtimes.Lookup(r.version.RuntimeVersion)
	if err != nil {
		return ml.Process{}, err
	}
	l := frame.Launch{Dir: r.m.o.Executor.Folder(id), Model: r.dir(), TensorFlow: runtime.TensorFlow,
		InFlight: r.pool.limits.inFlight, Batch: r.pool.limits.batch, Tuning: r.known().tuning, MaxBody: r.m.o.MaxBody, Timeout: r.pool.limits.timeout}
	p := ml.Process{
		Args: append([]string{r.m.o.Executable}, l.Args()...),
		// An empty CUDA_VISIBLE_DEVICES means none: no GPU is used that was not leased.
		Env:    append([]string{"TF_CPP_MIN_LOG_LEVEL=1", "CUDA_VISIBLE_DEVICES=" + strings.Join(r.gpus, ",")}, r.m.o.Env...),
		Dir:    r.m.o.Dir,
		Weight: ml.WeightNormal,
		Grace:  r.m.o.Grace,
	}
	if r.m.o.Sandbox {
		// The program by its own link: its file may have been replaced meanwhile.
		p.Sandbox = &ml.Sandbox{Read: append([]string{r.dir(), "/proc/self/exe"}, runtime.Folders...), Write: []string{l.Dir}, Offline: true}
	}
	return p, nil
}

// await waits for a process's end. The context that it gives ends with the
// process; exits has one value then, if ctx had not ended before.
func (r *replica) await(ctx context.Context, id string) (context.Context, <-chan ml.Exit) {
	ended, cancel := context.WithCancel(ctx)
	exits := make(chan ml.Exit, 1)
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			exit, err := r.m.o.Executor.Wait(ctx, id)
			if err == nil {
				exits <- exit
				return
			}
			if ctx.Err() == nil {
				r.log.Error().Err(err).Msg("waiting for a worker's end failed")
				respawn.Pause(ctx, respawn.Longest)
			}
		}
	}()
	return ended, exits
}

// explainExit says why a worker ended before it was READY.
func (r *replica) explainExit(id string, exit ml.Exit) error {
	if exit.Lost || !r.fresh {
		return fmt.Errorf("%w: %s", errLost, exit.Sentence())
	}
	message := "The model's worker ended while it loaded the model: " + exit.Sentence() + "."
	if r.m.o.Tail != nil {
		if tail, err := r.m.o.Tail(id, 10); err == nil && strings.TrimSpace(tail) != "" {
			message += " Its last words: " + strings.TrimSpace(tail)
		}
	}
	return ml.Errorf(ml.Internal, "%s", message)
}

// stopWorker ends the newest worker, if there is one, and waits for its end.
// Its number is not used again.
func (r *replica) stopWorker(ctx context.Context) error {
	id := r.process(r.number)
	if r.number == 0 || !r.m.o.Executor.Started(id) {
		return nil
	}
	if err := r.m.o.Executor.Stop(ctx, id); err != nil {
		return fmt.Errorf("end worker %s: %w", id, err)
	}
	if _, err := r.m.o.Executor.Wait(ctx, id); err != nil {
		return fmt.Errorf("wait for the end of worker %s: %w", id, err)
	}
	r.over = true
	return nil
}

// askUntilReady connects to the worker in folder, which may have only begun,
// and waits until it is READY. If ctx ends first, its cause is the error.
func askUntilReady(ctx context.Context, folder string) (conn *frame.Conn, state workerState, err error) {
	for delay := 2 * time.Millisecond; ; delay = min(2*delay, 100*time.Millisecond) {
		conn, err := frame.Dial(ctx, folder)
		if err == nil {
			state, ready, err := askState(ctx, conn)
			if ready {
				return conn, state, nil
			}
			conn.Close()
			if err != nil {
				return nil, state, err
			}
		}
		if !respawn.Pause(ctx, delay) {
			return nil, state, context.Cause(ctx)
		}
	}
}

// workerState is what a worker that is READY tells of itself: how it runs the model,
// in words and for another worker.
type workerState struct {
	how    string
	tuning *frame.Tuning
}

// askState asks until the state is final. Neither ready nor an error means that
// the connection broke.
func askState(ctx context.Context, conn *frame.Conn) (state workerState, ready bool, err error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer func() { ready = stop() && ready }()
	for {
		if err := conn.Write(frame.Frame{Kind: frame.State, Timeout: stateWait}); err != nil {
			return state, false, nil
		}
		f, err := conn.Read()
		if err != nil || f.Kind != frame.State {
			return state, false, nil
		}
		switch f.Status {
		case frame.Ready:
			return workerState{string(f.Body), frame.ParseTuning(string(f.Head))}, true, nil
		case frame.Failed:
			return state, false, ml.Errorf(ml.InvalidArgument, "Bad model detected with error: %q", "Failed to load model: "+string(f.Body)+" (Error code: 0)")
		}
	}
}
