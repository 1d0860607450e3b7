package serving

import (
	"testing"

	"hearth/ml"
)

// A request that was not answered in time may be what ends the worker afterwards: it is
// run alone when it comes back, and refused if that happens again.
func TestQuarantine_Late(t *testing.T) {
	var q quarantine
	slow, other := []byte("slow"), []byte("other")
	enter := func(body []byte, want pass) {
		t.Helper()
		if got, err := q.enter(body); got != want || err != nil {
			t.Errorf("%s enters as %d, %v, want %d", body, got, err, want)
		}
	}
	enter(slow, free)
	q.leave(free, slow, late)
	enter(slow, free) // nothing has happened yet
	q.leave(free, slow, late)
	q.ended(false)
	enter(slow, alone)
	q.leave(alone, slow, late)
	q.ended(false)
	if _, err := q.enter(slow); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("the third time: %v", err)
	}
	enter(other, shared)
	q.leave(shared, other, answered)
	q.ended(false)
	enter(other, shared)
	q.leave(shared, other, answered)
}

// A request is not to blame for a worker that was ended from outside, and not cleared
// by a worker that was not there.
func TestQuarantine_EndedFromOutside(t *testing.T) {
	var q quarantine
	body := []byte("request")
	q.leave(free, body, died)
	for _, became := range []fate{died, notRun, died} {
		if p, err := q.enter(body); p != alone || err != nil {
			t.Errorf("enters as %d, %v, want %d", p, err, alone)
		}
		q.leave(alone, body, became)
		q.ended(true)
	}
	if p, err := q.enter(body); p != alone || err != nil {
		t.Errorf("enters as %d, %v, want %d", p, err, alone)
	}
	q.leave(alone, body, died)
	q.ended(false)
	if _, err := q.enter(body); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("the third time: %v", err)
	}
}
