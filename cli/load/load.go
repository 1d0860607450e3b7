// Package load sends requests at a rate and notes how long the answers take.
package load

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Load is requests that come at a rate, whether the last ones were answered or
// not, as those of many independent users do.
type Load struct {
	// Ask sends request n, counted from 0, and returns when it is answered. One of
	// the connections, counted from 0 too, does so at a time.
	Ask func(ctx context.Context, connection int, n int64) error
	// Connections is how many requests can be under way at once.
	Connections int
	// Rate is in requests a second; 0 means that each connection asks again as
	// soon as it has its answer.
	Rate     float64
	Duration time.Duration
}

// Result is how a load was answered. Times count from when a request was due,
// so that one which had to wait for a free connection shows it.
type Result struct {
	Times    []time.Duration // of those answered, in order of length
	Failed   int
	FirstErr error // of one of those that failed
}

// Run keeps the load up for its duration, or until ctx ends, and waits for what is
// under way then.
func (l Load) Run(ctx context.Context) Result {
	var mu sync.Mutex
	var all Result
	var next atomic.Int64
	var senders sync.WaitGroup
	began := time.Now()
	due := func() (n int64, at time.Duration, more bool) {
		n = next.Add(1) - 1
		if l.Rate == 0 {
			at = time.Since(began)
		} else {
			at = time.Duration(float64(n) / l.Rate * float64(time.Second))
		}
		return n, at, at < l.Duration
	}
	for connection := range l.Connections {
		senders.Go(func() {
			var mine Result
			for n, at, more := due(); more && ctx.Err() == nil; n, at, more = due() {
				sleepUntil(began.Add(at))
				if err := l.Ask(ctx, connection, n); err != nil {
					mine.Failed++
					mine.FirstErr = err
					continue
				}
				mine.Times = append(mine.Times, time.Since(began)-at)
			}
			mu.Lock()
			defer mu.Unlock()
			all.Times = append(all.Times, mine.Times...)
			all.Failed += mine.Failed
			if all.FirstErr == nil {
				all.FirstErr = mine.FirstErr
			}
		})
	}
	senders.Wait()
	slices.Sort(all.Times)
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

// Quantile gives the time within which the part q of the answers came, 0 if none
// did.
func (r Result) Quantile(q float64) time.Duration {
	if len(r.Times) == 0 {
		return 0
	}
	return r.Times[min(len(r.Times)-1, int(q*float64(len(r.Times))))]
}
