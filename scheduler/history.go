package scheduler

import (
	"maps"
	"slices"
	"time"

	"hearth/ml"
)

// history is how long jobs have run, by the module that they run: the best
// guess there is at how long the next one will.
type history map[string][]time.Duration

// remembered is how many runs of a module count.
const remembered = 5

// allModules is where the runs of all modules are.
const allModules = ""

func (h history) add(module string, d time.Duration) {
	for _, name := range []string{module, allModules} {
		list := append(slices.Clone(h[name]), d)
		h[name] = list[max(0, len(list)-remembered):]
	}
}

// clone gives a copy for other goroutines: its lists are not changed any more.
func (h history) clone() history { return maps.Clone(h) }

// expect guesses how long a job will run: as the last ones of its module, or as
// long as its request allows, or as the last jobs; ok is false if nothing is
// known.
func (h history) expect(module string, limit time.Duration) (d time.Duration, ok bool) {
	if runs := h[module]; len(runs) > 0 {
		return min(median(runs), limit), true
	}
	if limit != ml.DefaultMaxRunningTime {
		return limit, true
	}
	if runs := h[allModules]; len(runs) > 0 {
		return median(runs), true
	}
	return 0, false
}

// end guesses when a job will end, zero if nothing is known.
func (h history) end(r *run) time.Time {
	d, ok := h.expect(r.job.Program(), r.job.MaxRunningTime())
	if !ok || r.started.IsZero() {
		return time.Time{}
	}
	return r.started.Add(d)
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
