package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestLoad_CountsFromWhenARequestWasDue lets the first request hold the only
// connection beyond the end: the others are sent all the same, late.
func TestLoad_CountsFromWhenARequestWasDue(t *testing.T) {
	asked := 0
	const held = 40 * time.Millisecond
	l := load{connections: 1, rate: 1000, duration: 20 * time.Millisecond, ask: func(context.Context) error {
		asked++
		for began := time.Now(); asked == 1 && time.Since(began) < held; {
		}
		if asked == 20 {
			return errors.New("the last one")
		}
		return nil
	}}
	r := l.run(t.Context())
	if asked != 20 || len(r.times) != 19 || r.failed != 1 || r.firstErr == nil {
		t.Fatalf("%d requests, %d answers, %d failures (%v)", asked, len(r.times), r.failed, r.firstErr)
	}
	if shortest := r.quantile(0); shortest < held-l.duration {
		t.Errorf("a request that was due before %s and answered after %s is said to have taken %s", l.duration, held, shortest)
	}
}

func TestLoad_WithoutARateItAsksAgain(t *testing.T) {
	l := load{connections: 3, duration: 5 * time.Millisecond, ask: func(context.Context) error { return nil }}
	if r := l.run(t.Context()); len(r.times) < 3 {
		t.Errorf("%d answers", len(r.times))
	}
}

func TestHistogram(t *testing.T) {
	s := histogramScale{1e3, 1e7}
	for name, c := range map[string]struct {
		times []time.Duration
		want  string
	}{
		"none":          {nil, strings.Repeat(" ", 40)},
		"both ends":     {[]time.Duration{1e3, 1e7}, "@" + strings.Repeat(" ", 38) + "@"},
		"beyond":        {[]time.Duration{1, 1e9}, "@" + strings.Repeat(" ", 38) + "@"},
		"in the middle": {[]time.Duration{1e5, 1e5, 1e3}, "=" + strings.Repeat(" ", 19) + "@" + strings.Repeat(" ", 19)},
	} {
		if got := s.draw(c.times, true); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := (histogramScale{5, 5}).draw([]time.Duration{5}, true); got != "@"+strings.Repeat(" ", 39) {
		t.Errorf("a scale of one time: %q", got)
	}
}
