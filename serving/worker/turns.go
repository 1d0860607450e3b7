package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"hearth/ml"
	"hearth/serving/tensor"
)

// turns gives requests their turns at the session. One that comes while a run may
// begin is run at once, alone: an idle session never waits for company. Those
// that come while none may begin wait, and the next run takes the first of them
// and, as one batch, all those that can go with it. So batches are as large as
// the load makes them, and nobody has to set anything.
type turns struct {
	servable Servable
	// batches says which signatures take several requests in one run, and how
	// many rows at most.
	batches map[*tensor.Signature]int64

	// ran hears of each run how many rows it had.
	ran func(rows int64)

	mu      sync.Mutex
	free    int // how many more runs may begin
	waiting []*turn
	// begun has when the runs began that are under way.
	begun []time.Time
}

// turn is a request that waits.
type turn struct {
	request tensor.Request
	rows    int64 // 0: it is run alone
	// word gets one value: either the requests that this one is to run, itself
	// first, or what became of the run that another did.
	word chan word
}

type word struct {
	batch   []*turn
	began   time.Time // of the run
	outputs []*tensor.Tensor
	err     error
}

func newTurns(s Servable, runs int, batches map[*tensor.Signature]int64, ran func(rows int64)) *turns {
	return &turns{servable: s, free: runs, batches: batches, ran: ran}
}

// run runs the signature on the request's inputs when its turn comes; if that is
// only after deadline, it is context.DeadlineExceeded, and it is not run. The
// zero time is no deadline. began is when the run did, zero if there was none.
func (q *turns) run(now, deadline time.Time, r tensor.Request) (outputs []*tensor.Tensor, began time.Time, err error) {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.begun = append(q.begun, now)
		q.mu.Unlock()
		defer q.pass(now)
		outputs, err = q.alone(r)
		return outputs, now, err
	}
	t := &turn{request: r, rows: q.rows(r), word: make(chan word, 1)}
	q.waiting = append(q.waiting, t)
	q.mu.Unlock()
	w, err := q.await(t, deadline)
	if err != nil {
		return nil, began, err
	}
	if w.batch == nil {
		return w.outputs, w.began, w.err
	}
	defer q.pass(w.began)
	outputs, err = q.together(w.batch, w.began)
	return outputs, w.began, err
}

// oldest is when the run began that has been under way for the longest, zero if
// none is.
func (q *turns) oldest() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	var first time.Time
	for _, t := range q.begun {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}

// rows is how many rows a request has, 0 if it is to run alone.
func (q *turns) rows(r tensor.Request) int64 {
	if rows := commonRows(r.Inputs); rows < q.batches[r.Signature] {
		return rows
	}
	return 0
}

// await waits for the word. A request that another run has taken along by the
// time of its deadline is waited for: its run has begun.
func (q *turns) await(t *turn, deadline time.Time) (word, error) {
	if deadline.IsZero() {
		return <-t.word, nil
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case w := <-t.word:
		return w, nil
	case <-timer.C:
	}
	q.mu.Lock()
	i := slices.Index(q.waiting, t)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	q.mu.Unlock()
	if i >= 0 {
		return word{}, context.DeadlineExceeded
	}
	return <-t.word, nil
}

// pass ends the run that began at a time and lets the next one begin.
func (q *turns) pass(began time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.begun, began); i >= 0 {
		q.begun = slices.Delete(q.begun, i, i+1)
	}
	if len(q.waiting) == 0 {
		q.free++
		return
	}
	batch, now := q.take(), time.Now()
	q.begun = append(q.begun, now)
	batch[0].word <- word{batch: batch, began: now}
}

// take removes the first that waits, and all that can be run with it, in order.
func (q *turns) take() []*turn {
	first := q.waiting[0]
	batch, rows := []*turn{first}, first.rows
	left := q.waiting[:0]
	for _, t := range q.waiting[1:] {
		if first.rows > 0 && t.rows > 0 && rows+t.rows <= q.batches[first.request.Signature] && sameInputs(first.request, t.request) {
			batch, rows = append(batch, t), rows+t.rows
		} else {
			left = append(left, t)
		}
	}
	clear(q.waiting[len(left):])
	q.waiting = left
	return batch
}

func sameInputs(a, b tensor.Request) bool {
	if a.Signature != b.Signature || len(a.Inputs) != len(b.Inputs) {
		return false
	}
	for name, t := range a.Inputs {
		other := b.Inputs[name]
		if other == nil || !tensor.SameRows(t, other) {
			return false
		}
	}
	return true
}

func (q *turns) alone(r tensor.Request) ([]*tensor.Tensor, error) {
	q.ran(commonRows(r.Inputs))
	return q.servable.Run(context.Background(), r.Signature, r.Inputs)
}

// together runs a batch and gives the outputs of its first request; the others
// get theirs by their words. If the batch fails, each is run by itself, so that
// one that the graph refuses costs the others nothing but time.
func (q *turns) together(batch []*turn, began time.Time) (first []*tensor.Tensor, err error) {
	if len(batch) == 1 {
		return q.alone(batch[0].request)
	}
	told := 1 // so many know what became of them
	defer func() {
		for _, t := range batch[told:] { // a panic is on its way
			t.word <- word{began: began, err: ml.Errorf(ml.Internal, "a run that others shared panicked")}
		}
	}()
	results, ok := q.shared(batch)
	if ok {
		for _, t := range batch[1:] {
			t.word <- word{began: began, outputs: results[told]}
			told++
		}
		return results[0], nil
	}
	for _, t := range batch[1:] {
		outputs, err := q.alone(t.request)
		t.word <- word{began: began, outputs: outputs, err: err}
		told++
	}
	return q.alone(batch[0].request)
}

// shared runs all requests of a batch at once and gives each one's outputs; ok
// is false if that did not work out.
func (q *turns) shared(batch []*turn) (results [][]*tensor.Tensor, ok bool) {
	first, total := batch[0].request, int64(0)
	for _, t := range batch {
		total += t.rows
	}
	inputs := make(map[string]*tensor.Tensor, len(first.Inputs))
	for name := range first.Inputs {
		parts := make([]*tensor.Tensor, len(batch))
		for i, t := range batch {
			parts[i] = t.request.Inputs[name]
		}
		inputs[name] = tensor.Join(parts)
	}
	q.ran(total)
	outputs, err := q.servable.Run(context.Background(), first.Signature, inputs)
	if err != nil {
		return nil, false
	}
	for _, out := range outputs {
		if rows, ok := out.Rows(); !ok || rows != total {
			return nil, false
		}
	}
	from := int64(0)
	for _, t := range batch {
		mine := make([]*tensor.Tensor, len(outputs))
		for i, out := range outputs {
			mine[i] = out.Cut(from, from+t.rows)
		}
		results = append(results, mine)
		from += t.rows
	}
	return results, true
}
