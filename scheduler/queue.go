package scheduler

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"hearth/ml"
)

// waiting is a job in the queue. It does not change.
type waiting struct {
	jobKey
	demand
	priority  int32
	submitted time.Time
	// maxWait is how long the job may wait, 0 for as long as it takes.
	maxWait time.Duration
	// module names what it runs; it and limit say how long it is likely to run.
	module string
	limit  time.Duration
}

func newWaiting(project string, job *ml.Job, m Machines, host ml.Resources) *waiting {
	w := &waiting{
		jobKey: jobKey{project, job.JobID}, demand: m.demand(job, host), submitted: job.CreateTime.Time,
		module: job.Program(), limit: job.MaxRunningTime(),
	}
	if s := job.Scheduling(); s != nil {
		w.priority, w.maxWait = s.Priority, time.Duration(s.MaxWaitTime)
	}
	return w
}

// before orders the queue: priority, then submit time. Jobs of one moment,
// which no client can tell apart, have an order all the same.
func (w *waiting) before(o *waiting) bool {
	return cmp.Or(cmp.Compare(o.priority, w.priority), w.submitted.Compare(o.submitted),
		cmp.Compare(w.project, o.project), cmp.Compare(w.job, o.job)) < 0
}

// queue holds the jobs that wait, in the order in which they are looked at.
// A hundred thousand of them are nothing unusual.
type queue struct {
	list  []*waiting
	known map[jobKey]*waiting
	// published is list as readers may keep it, nil after a change.
	published []*waiting
}

// add puts a job at its place. A job that is there is left where it is.
func (q *queue) add(w *waiting) {
	if q.known[w.jobKey] != nil {
		return
	}
	if q.known == nil {
		q.known = map[jobKey]*waiting{}
	}
	q.known[w.jobKey] = w
	q.list, q.published = slices.Insert(q.list, place(q.list, w), w), nil
}

// remove takes a job out, if it is there.
func (q *queue) remove(k jobKey) {
	w := q.known[k]
	if w == nil {
		return
	}
	delete(q.known, k)
	i := place(q.list, w)
	q.list, q.published = slices.Delete(q.list, i, i+1), nil
}

// publish gives the list as it is now, for any goroutine.
func (q *queue) publish() []*waiting {
	if q.published == nil {
		q.published = slices.Clone(q.list)
	}
	return q.published
}

// place finds where a job is in a queue, or would be.
func place(list []*waiting, w *waiting) int {
	return sort.Search(len(list), func(i int) bool { return !list[i].before(w) })
}
