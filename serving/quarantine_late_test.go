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
	q.ended()
	enter(slow, alone)
	q.leave(alone, slow, late)
	q.ended()
	if _, err := q.enter(slow); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("the third time: %v", err)
	}
	enter(other, shared)
	q.leave(shared, other, answered)
	q.ended()
	enter(other, shared)
	q.leave(shared, other, answered)
}
