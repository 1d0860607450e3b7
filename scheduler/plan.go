package scheduler

import (
	"fmt"
	"time"

	"hearth/ml"
)

// waiting is a job in the queue, as plan sees it.
type waiting struct {
	jobKey
	need      ml.Resources
	submitted time.Time
	// maxWait is how long the job may wait, 0 for as long as it takes.
	maxWait time.Duration
}

// action is something to do with a waiting job: start it, or end it because of
// the reason in refuse.
type action struct {
	job    waiting
	refuse string
}

// plan decides what to do with the queue, which is in submit order, and when
// to look again even if nothing happens (zero: never).
//
// Jobs start in submit order. A later job may pass one that waits only if it
// uses nothing that the earlier one will need: what each waiting job asks for
// is set aside before those behind it are looked at. So a job never waits
// longer because of one that came after it.
func plan(queue []waiting, total, free ml.Resources, now time.Time) (actions []action, wake time.Time) {
	for _, w := range queue {
		switch deadline := w.submitted.Add(w.maxWait); {
		case !w.need.Fits(total):
			actions = append(actions, action{w, fmt.Sprintf("The job asks for %s; this machine has %s.", w.need, total)})
		case w.need.Fits(free):
			actions = append(actions, action{job: w})
			free = free.Minus(w.need)
		case w.maxWait > 0 && !now.Before(deadline):
			actions = append(actions, action{w, fmt.Sprintf("The job waited longer than its maximum waiting time of %s.", w.maxWait)})
		default:
			free = setAside(free, w.need)
			if w.maxWait > 0 && (wake.IsZero() || deadline.Before(wake)) {
				wake = deadline
			}
		}
	}
	return actions, wake
}

// setAside takes need out of free as far as it goes. What is short stays at
// zero, which still fits those who need none of it.
func setAside(free, need ml.Resources) ml.Resources {
	rest := free.Minus(need)
	return ml.Resources{CPUs: max(0, rest.CPUs), Memory: max(0, rest.Memory), GPUs: max(0, rest.GPUs)}
}
