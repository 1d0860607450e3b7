package worker

import "testing"

func TestLimits_Rows(t *testing.T) {
	for _, tc := range []struct {
		batch      int
		best, want int64
	}{{0, 32, 32}, {0, 0, 0}, {1, 32, 0}, {8, 32, 8}, {64, 32, 32}, {8, 0, 0}} {
		l := Limits{Batch: tc.batch}
		if got := l.rows(tc.best); got != tc.want {
			t.Errorf("at most %d of %d: %d, want %d", tc.batch, tc.best, got, tc.want)
		}
	}
}
