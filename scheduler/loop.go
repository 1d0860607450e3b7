package scheduler

import (
	"context"
	"errors"
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
	queue   queue
	runs    map[jobKey]*run
	slots   *slots
	history history
	drivers sync.WaitGroup
	// driver takes a job that holds its lease to its end, elsewhere.
	driver func(ctx context.Context, r *run)
	// retry is when to try again what the database refused.
	retry time.Time
}

func (s *Scheduler) newLoop() *loop {
	l := &loop{Scheduler: s, runs: map[jobKey]*run{}, slots: newSlots(s.o), history: history{}}
	l.driver = func(ctx context.Context, r *run) { l.drivers.Go(func() { l.drive(ctx, r) }) }
	return l
}

// Run runs jobs until ctx ends, and then leaves those that run to themselves:
// the next Run finds them again. It returns early only if the database cannot
// be read. It can be called once.
func (s *Scheduler) Run(ctx context.Context) error {
	l := s.newLoop()
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
			l.hear()
		}
		timer.Stop()
		now := time.Now()
		if wake := l.step(ctx, now); !wake.IsZero() {
			timer.Reset(wake.Sub(now))
		}
		l.publish()
	}
}

// hear takes in what has happened.
func (l *loop) hear() {
	for _, happened := range l.inbox.take() {
		happened(l)
	}
}

// step does what plan says and gives the next time to look, zero for none.
func (l *loop) step(ctx context.Context, now time.Time) time.Time {
	if l.retry.After(now) {
		return l.retry
	}
	l.retry = time.Time{}
	settle := l.slots.settle()
	l.slots.grant()
	actions, wake := plan(l.queue.list, l.slots.host(), now)
	if again := now.Add(settleEvery); settle && (wake.IsZero() || again.Before(wake)) {
		wake = again
	}
	for _, a := range actions {
		var err error
		if a.refuse != "" {
			err = l.refuse(a.job.jobKey, a.refuse)
		} else {
			err = l.start(ctx, a.job)
		}
		if err != nil {
			l.logger(a.job.jobKey).Error().Err(err).Msg("job could not be started; trying again")
			wake = now.Add(retryDelay)
		}
		if err != nil && !errors.Is(err, errNoPorts) {
			l.retry = wake
			break
		}
	}
	return wake
}

// enqueue puts a job into the queue, unless it is known already.
func (l *loop) enqueue(project string, job *ml.Job) {
	if w := newWaiting(project, job, l.o.Machines, l.slots.total); l.runs[w.jobKey] == nil {
		l.queue.add(w)
	}
}

// enqueueAgain puts a job into the queue that has run before: how long it may
// wait counted for its first time.
func (l *loop) enqueueAgain(project string, job *ml.Job) {
	w := newWaiting(project, job, l.o.Machines, l.slots.total)
	w.maxWait = 0
	l.queue.add(w)
}

// attach lets a goroutine drive a job that holds its lease.
func (l *loop) attach(ctx context.Context, r *run) {
	l.runs[r.jobKey] = r
	l.slots.hold(r.jobKey, r.attempt.Lease)
	l.driver(ctx, r)
}
