package scheduler

import (
	"fmt"
	"time"

	"hearth/ml"
)

// host is the machine as plan sees it: what there is, what of it is free, and
// what each of those holds who will give it back.
type host struct {
	total, free ml.Resources
	held        []ml.Resources
}

// action is something to do with a waiting job: start it, or end it because of
// the reason in refuse.
type action struct {
	job    *waiting
	refuse string
}

// plan decides what to do with the queue, which is in order, and when to look
// again even if nothing happens (zero: never).
//
// Jobs start in order. A later job may pass one that waits only if that one
// starts no later for it, whichever of the running jobs ends first: nobody
// knows how long a job will take. The first job that waits leaves to those
// behind it what is free and will still be free beside it when it starts; each
// further one takes its whole need out of that.
func plan(queue []*waiting, h host, now time.Time) (actions []action, wake time.Time) {
	free, first := h.free, true
	for _, w := range queue {
		if !w.need.Fits(h.total) {
			actions = append(actions, action{w, fmt.Sprintf("The job asks for %s; this machine has %s.", w.need, h.total)})
			continue
		}
		if w.need.Fits(free) {
			actions = append(actions, action{job: w})
			free = free.Minus(w.need)
			h.free = h.free.Minus(w.need)
			h.held = append(h.held[:len(h.held):len(h.held)], w.need)
			continue
		}
		if w.maxWait > 0 {
			deadline := w.submitted.Add(w.maxWait)
			if !now.Before(deadline) {
				actions = append(actions, action{w, fmt.Sprintf("The job waited longer than its maximum waiting time of %s.", w.maxWait)})
				continue
			}
			if wake.IsZero() || deadline.Before(wake) {
				wake = deadline
			}
		}
		if first {
			free, first = h.spare(w.need), false
		} else {
			free = floor(free.Minus(w.need))
		}
	}
	return actions, wake
}

// spare is what of the free resources will still be free beside need at the
// moment at which need first fits, whoever ends until then.
func (h host) spare(need ml.Resources) ml.Resources {
	surplus := func(of func(ml.Resources) int64) int64 {
		return min(of(h.free), leastSurplus(of(need)-of(h.free), h.held, of))
	}
	return floor(ml.Resources{
		CPUs:   int(surplus(func(r ml.Resources) int64 { return int64(r.CPUs) })),
		Memory: surplus(func(r ml.Resources) int64 { return r.Memory }),
		GPUs:   int(surplus(func(r ml.Resources) int64 { return int64(r.GPUs) })),
	})
}

// maxSums bounds the search of leastSurplus. Leases come in few sizes, so that
// far fewer are met.
const maxSums = 4096

// leastSurplus gives how far the sum of any of the held leases, if it reaches
// short, goes beyond it at least. It errs on the low side.
func leastSurplus(short int64, held []ml.Resources, of func(ml.Resources) int64) int64 {
	if short <= 0 {
		return -short
	}
	below, least := map[int64]bool{0: true}, int64(-1)
	for _, r := range held {
		h := of(r)
		if h <= 0 {
			continue
		}
		var more []int64
		for sum := range below {
			switch sum += h; {
			case sum < short:
				more = append(more, sum)
			case least < 0 || sum-short < least:
				least = sum - short
			}
		}
		for _, sum := range more {
			below[sum] = true
		}
		if least == 0 || len(below) > maxSums {
			return 0
		}
	}
	return max(0, least)
}

// floor takes what is below zero for nothing, which still fits those who need
// none of it.
func floor(r ml.Resources) ml.Resources {
	return ml.Resources{CPUs: max(0, r.CPUs), Memory: max(0, r.Memory), GPUs: max(0, r.GPUs)}
}
