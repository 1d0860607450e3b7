package cli

import (
	"strings"
	"testing"
	"time"
)

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
