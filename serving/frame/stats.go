package frame

import (
	"math/bits"
	"time"
)

// Stats is what a worker has done since it began, as the JSON body of the answer to
// a [Metrics] frame.
type Stats struct {
	// Requests counts answers by their HTTP status.
	Requests map[int]uint64 `json:"requests"`
	// Phases has the time that requests took, by phase, in seconds: "total", and its
	// parts "parse", "queue", "run" and "format".
	Phases map[string]Histogram `json:"phases"`
	// Rows has how many instances runs had.
	Rows Histogram `json:"rows"`
	// InFlight is how many requests are under way or wait.
	InFlight int64 `json:"inFlight"`
}

// Histogram counts values by buckets. Counts[i] are those above the bound before
// and not above bound i; the last is of those above all bounds.
type Histogram struct {
	Counts [Buckets + 1]uint64 `json:"counts"`
	Sum    float64             `json:"sum"`
}

// Buckets is how many bounds a Histogram has.
const Buckets = 22

// firstBound is the first bound of times; each is twice the one before: 16 µs to
// 33 s. Rows have the bounds 1, 2, 4 and so on.
const firstBound = 16 * time.Microsecond

// TimeBound gives bound i of a histogram of times, in seconds.
func TimeBound(i int) float64 { return (firstBound << i).Seconds() }

// RowBound gives bound i of a histogram of rows.
func RowBound(i int) float64 { return float64(uint64(1) << i) }

// TimeBucket gives the bucket of a time.
func TimeBucket(d time.Duration) int { return bucket(uint64(max(d, 1)-1) / uint64(firstBound)) }

// RowBucket gives the bucket of a number of rows.
func RowBucket(n int64) int { return bucket(uint64(max(n, 1) - 1)) }

func bucket(units uint64) int { return min(bits.Len64(units), Buckets) }
