package serving

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"hearth/ml"
	"hearth/serving/handover"
)

// quarantine keeps a request that kills its version's worker from doing it again and
// again. Those that were with the worker when it died are suspects: each that comes
// back is run with no other beside it, and is cleared if the worker survives. If it
// does not, and was not ended from outside, the request is refused from then on. One
// that was not answered in time may still run, and end the worker later. It knows
// requests by their bodies.
type quarantine struct {
	// armed is true while there are suspects or refused ones; nothing is looked at
	// otherwise.
	armed atomic.Bool

	mu       sync.Mutex
	suspects map[handover.Body]time.Time // and until when they are
	refused  map[handover.Body]time.Time
	// open are those that may turn out to be what ended the worker: suspects that were
	// alone with one that died, and those that were not answered in time.
	open map[handover.Body]openCase
	// beside is held by a suspect that runs, and shared by all others.
	beside sync.RWMutex
}

// How long a request is remembered after it was last seen.
const (
	suspectFor = time.Minute
	refusedFor = time.Hour
	openFor    = 2 * time.Minute
)

// openCase is what is known of a request that the worker's end will tell about.
type openCase struct {
	alone bool
	until time.Time
}

// pass is how a request was let in.
type pass int

const (
	free   pass = iota // nobody looked
	shared             // beside others, but no suspect
	alone
)

// enter lets a request in, whose body may have been with a worker that died. leave
// must be called when it is done.
func (q *quarantine) enter(body []byte) (pass, error) {
	if !q.armed.Load() {
		return free, nil
	}
	b, now := handover.BodyOf(body), time.Now()
	suspect, err := q.look(b, now)
	if err != nil {
		return free, err
	}
	if suspect {
		q.beside.Lock()
		// Its twin may have been cleared or found guilty meanwhile.
		if suspect, err = q.look(b, now); suspect {
			return alone, nil
		}
		q.beside.Unlock()
		if err != nil {
			return free, err
		}
	}
	q.beside.RLock()
	return shared, nil
}

// look says whether a body is a suspect's, with an error if it is refused.
func (q *quarantine) look(b handover.Body, now time.Time) (suspect bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(now)
	if _, ok := q.refused[b]; ok {
		q.refused[b] = now.Add(refusedFor)
		return false, ml.Errorf(ml.FailedPrecondition, "This request has ended the version's worker twice and is not run again; look into the worker's log, and mend the model.")
	}
	_, suspect = q.suspects[b]
	return suspect, nil
}

// fate is what became of a request.
type fate int

const (
	notRun fate = iota
	answered
	died // the worker did
	late // there was no answer in time
)

// leave ends what enter began.
func (q *quarantine) leave(p pass, body []byte, f fate) {
	switch {
	case f == late, f == died && p == alone:
		q.await(handover.BodyOf(body), p == alone)
	case f == died:
		q.suspect([]handover.Body{handover.BodyOf(body)})
	case p == alone && f == answered:
		q.clear(handover.BodyOf(body))
	}
	switch p {
	case alone:
		q.beside.Unlock()
	case shared:
		q.beside.RUnlock()
	}
}

// suspect takes note of requests that were with a worker that died.
func (q *quarantine) suspect(bodies []handover.Body) {
	q.mu.Lock()
	defer q.mu.Unlock()
	until := time.Now().Add(suspectFor)
	for _, b := range bodies {
		if q.suspects == nil {
			q.suspects = map[handover.Body]time.Time{}
		}
		q.suspects[b] = until
		q.armed.Store(true)
	}
}

func (q *quarantine) refuse(b handover.Body) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.suspects, b)
	if q.refused == nil {
		q.refused = map[handover.Body]time.Time{}
	}
	q.refused[b] = time.Now().Add(refusedFor)
	q.armed.Store(true)
}

// await leaves it open what a request did until the worker has ended.
func (q *quarantine) await(b handover.Body, alone bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if q.open == nil {
		q.open = map[handover.Body]openCase{}
	}
	maps.DeleteFunc(q.open, func(_ handover.Body, c openCase) bool { return now.After(c.until) })
	q.open[b] = openCase{alone || q.open[b].alone, now.Add(openFor)}
}

// ended is told that the worker has, and whether from outside. If not, the open ones
// that were alone are guilty, and the others may be.
func (q *quarantine) ended(fromOutside bool) {
	q.mu.Lock()
	cases := q.open
	q.open = nil
	q.mu.Unlock()
	if fromOutside {
		return
	}
	for b, c := range cases {
		switch {
		case time.Now().After(c.until):
		case c.alone:
			q.refuse(b)
		default:
			q.suspect([]handover.Body{b})
		}
	}
}

func (q *quarantine) clear(b handover.Body) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.suspects, b)
	q.forget(time.Now())
}

// holds says whether requests must be looked at.
func (q *quarantine) holds() bool {
	if !q.armed.Load() {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(time.Now())
	return q.armed.Load()
}

// forget drops what was not seen for long. The caller holds mu.
func (q *quarantine) forget(now time.Time) {
	for _, known := range []map[handover.Body]time.Time{q.suspects, q.refused} {
		for b, until := range known {
			if now.After(until) {
				delete(known, b)
			}
		}
	}
	q.armed.Store(len(q.suspects)+len(q.refused) > 0)
}
