// Package respawn says how long to wait before a process that ended is started
// again, and waits.
package respawn

import (
	"context"
	"time"
)

// Longest is the longest pause.
const Longest = 30 * time.Second

const (
	first   = 100 * time.Millisecond
	healthy = time.Minute // a life after which the pauses begin anew
)

// Next gives the pause before the next try, from the one before the last and
// from how long the last went well.
func Next(before, lived time.Duration) time.Duration {
	if before == 0 || lived >= healthy {
		return first
	}
	return min(2*before, Longest)
}

// Pause waits; false if ctx ended before.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
