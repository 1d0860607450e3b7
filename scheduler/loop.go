package scheduler

import (
	"context"
	"slices"
	"sync"
	"time"

	"hearth/ml"
)

// retryDelay is how long the scheduler waits after the database refused a
// write, as it does on a full disk.
const retryDelay = 5 * time.Second

// inbox carries what happened to the loop. Nobody waits to put something in,
// so it can be used from anywhere.
type inbox struct {
	mu   sync.Mutex
	list []func(*loop)
	wake chan struct{}
}

func (b *inbox) put(f func(*loop)) {
	b.mu.Lock()
	b.list = append(b.list, f)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []func(*loop) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}

// loop is the scheduler's state. Only Run's goroutine touches it.
type loop struct {
	*Scheduler
	queue   []waiting
	runs    map[jobKey]*run
	slots   *slots
	drivers sync.WaitGroup
	// retry is when to try again what the database refused.
	retry time.Time
}

// Run runs jobs until ctx ends, and then leaves those that run to themselves:
// the next Run finds them again. It returns early only if the database cannot
// be read. It can be called once.
func (s *Scheduler) Run(ctx context.Context) error {
	l := &loop{Scheduler: s, runs: map[jobKey]*run{}, slots: newSlots(s.o)}
	defer l.drivers.Wait()
	if err := l.recover(ctx); err != nil {
		return err
	}
	l.publish()
	close(s.ready)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.inbox.wake:
			for _, happened := range s.inbox.take() {
				happened(l)
			}
		}
		l.step(ctx, timer)
		l.publish()
	}
}

// step does what plan says and sets the timer for the next time.
func (l *loop) step(ctx context.Context, timer *time.Timer) {
	now := time.Now()
	if l.retry.After(now) {
		timer.Reset(l.retry.Sub(now))
		return
	}
	l.retry = time.Time{}
	actions, wake := plan(l.queue, l.slots.total, l.slots.free(), now)
	for _, a := range actions {
		var err error
		if a.refuse != "" {
			err = l.refuse(a.job, a.refuse)
		} else {
			err = l.start(ctx, a.job)
		}
		if err != nil {
			l.logger(a.job.jobKey).Error().Err(err).Msg("database refused a write; trying again")
			l.retry = now.Add(retryDelay)
			wake = l.retry
			break
		}
	}
	if wake.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(wake.Sub(now))
}

// enqueue puts a job into the queue at its place by submit time. A job that is
// known already is left where it is.
func (l *loop) enqueue(project string, job *ml.Job) {
	k := jobKey{project, job.JobID}
	if l.runs[k] != nil || slices.ContainsFunc(l.queue, func(w waiting) bool { return w.jobKey == k }) {
		return
	}
	w := waiting{jobKey: k, need: request(job.TrainingInput, l.o.JobMemory), submitted: job.CreateTime.Time}
	if s := job.TrainingInput.Scheduling; s != nil {
		w.maxWait = time.Duration(s.MaxWaitTime)
	}
	i := len(l.queue)
	for i > 0 && l.queue[i-1].submitted.After(w.submitted) {
		i--
	}
	l.queue = slices.Insert(l.queue, i, w)
}

func (l *loop) dequeue(k jobKey) {
	l.queue = slices.DeleteFunc(l.queue, func(w waiting) bool { return w.jobKey == k })
}

// attach lets a goroutine drive a job that holds its lease.
func (l *loop) attach(ctx context.Context, r *run) {
	l.runs[r.jobKey] = r
	l.slots.hold(r.jobKey, r.attempt.Lease)
	l.drivers.Go(func() { l.drive(ctx, r) })
}
