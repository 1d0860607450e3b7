package cli

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// load is requests that come at a rate, whether the last ones were answered or
// not, as those of many independent users do.
type load struct {
	ask func(context.Context) error
	// connections is how many requests can be under way at once.
	connections int
	// rate is in requests a second; 0 means that each connection asks again as
	// soon as it has its answer.
	rate     float64
	duration time.Duration
}

// loadResult is how a load was answered. Times count from when a request was due,
// so that one which had to wait for a free connection shows it.
type loadResult struct {
	times    []time.Duration // of those answered, in order of length
	failed   int
	firstErr error
}

func (l load) run(ctx context.Context) loadResult {
	var mu sync.Mutex
	var all loadResult
	var next atomic.Int64
	var senders sync.WaitGroup
	began := time.Now()
	due := func() (time.Duration, bool) {
		if l.rate == 0 {
			at := time.Since(began)
			return at, at < l.duration
		}
		at := time.Duration(float64(next.Add(1)-1) / l.rate * float64(time.Second))
		return at, at < l.duration
	}
	for range l.connections {
		senders.Go(func() {
			var mine loadResult
			for at, more := due(); more && ctx.Err() == nil; at, more = due() {
				sleepUntil(began.Add(at))
				if err := l.ask(ctx); err != nil {
					mine.failed++
					mine.firstErr = err
					continue
				}
				mine.times = append(mine.times, time.Since(began)-at)
			}
			mu.Lock()
			defer mu.Unlock()
			all.times = append(all.times, mine.times...)
			all.failed += mine.failed
			if all.firstErr == nil {
				all.firstErr = mine.firstErr
			}
		})
	}
	senders.Wait()
	slices.Sort(all.times)
	return all
}

// sleepUntil sleeps in the kernel: Go's own timers are exact to a millisecond
// only, more than what is to be measured.
func sleepUntil(t time.Time) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for wait := time.Until(t); wait > 0; wait = time.Until(t) {
		ts := unix.NsecToTimespec(int64(wait))
		// An interrupted sleep goes on.
		_ = unix.Nanosleep(&ts, nil)
	}
}

// quantile gives the time within which the part q of the answers came, 0 if none
// did.
func (r loadResult) quantile(q float64) time.Duration {
	if len(r.times) == 0 {
		return 0
	}
	return r.times[min(len(r.times)-1, int(q*float64(len(r.times))))]
}
