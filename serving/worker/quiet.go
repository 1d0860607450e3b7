package worker

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// quietPatience is how long a worker waits for others to be done with trying out;
// after that it goes on beside them.
const quietPatience = 20 * time.Second

// awaitQuiet waits until no other worker of this machine tries out its model: two
// at a time would measure each other. What they share is the program that they
// run, so its file is the lock; done gives it up. Without a lock to be had the
// measurements are worse, and nothing else.
func awaitQuiet(ctx context.Context) (done func()) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return func() {}
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	patience, cancel := context.WithTimeout(ctx, quietPatience)
	defer cancel()
	for patience.Err() == nil && unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		select {
		case <-again.C:
		case <-patience.Done():
		}
	}
	return func() { f.Close() }
}
