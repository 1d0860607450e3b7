package load

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestLoad_CountsFromWhenARequestWasDue lets the first request hold the only
// connection beyond the end: the others are sent all the same, late.
func TestLoad_CountsFromWhenARequestWasDue(t *testing.T) {
	asked := 0
	const held = 40 * time.Millisecond
	l := Load{Connections: 1, Rate: 1000, Duration: 20 * time.Millisecond, Ask: func(context.Context, int, int64) error {
		asked++
		for began := time.Now(); asked == 1 && time.Since(began) < held; {
		}
		if asked == 20 {
			return errors.New("the last one")
		}
		return nil
	}}
	r := l.Run(t.Context())
	if asked != 20 || len(r.Times) != 19 || r.Failed != 1 || r.FirstErr == nil {
		t.Fatalf("%d requests, %d answers, %d failures (%v)", asked, len(r.Times), r.Failed, r.FirstErr)
	}
	if shortest := r.Quantile(0); shortest < held-l.Duration {
		t.Errorf("a request that was due before %s and answered after %s is said to have taken %s", l.Duration, held, shortest)
	}
}

func TestLoad_WithoutARateItAsksAgain(t *testing.T) {
	l := Load{Connections: 3, Duration: 5 * time.Millisecond, Ask: func(context.Context, int, int64) error { return nil }}
	if r := l.Run(t.Context()); len(r.Times) < 3 {
		t.Errorf("%d answers", len(r.Times))
	}
}
