package worker

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"hearth/serving/frame"
)

// The phases of a request.
const (
	parsing = iota
	queueing
	running
	formatting
	phases
)

var phaseNames = [phases]string{"parse", "queue", "run", "format"}

// timing is how long each phase of a request took.
type timing [phases]time.Duration

// appendHeader appends the value of a Server-Timing header, in milliseconds.
func (t *timing) appendHeader(b []byte) []byte {
	for i, name := range phaseNames {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(b, name...), ";dur="...)
		b = strconv.AppendFloat(b, float64(t[i].Microseconds())/1000, 'f', -1, 64)
	}
	return b
}

// stats counts what a worker does. All of it may be used from many goroutines.
type stats struct {
	statuses [600]atomic.Uint64
	total    times
	phases   [phases]times
	rows     histogram
}

type histogram struct {
	counts [frame.Buckets + 1]atomic.Uint64
	sum    atomic.Int64
}

func (h *histogram) add(bucket int, v int64) {
	h.counts[bucket].Add(1)
	h.sum.Add(v)
}

func (h *histogram) read(unit float64) frame.Histogram {
	var f frame.Histogram
	for i := range h.counts {
		f.Counts[i] = h.counts[i].Load()
	}
	f.Sum = float64(h.sum.Load()) * unit
	return f
}

type times struct{ histogram }

func (h *times) observe(d time.Duration) { h.add(frame.TimeBucket(d), int64(d)) }

// answered counts a request. One that was not run has no phases.
func (s *stats) answered(status int, total time.Duration, t *timing) {
	if status < 0 || status >= len(s.statuses) {
		status = http.StatusInternalServerError
	}
	s.statuses[status].Add(1)
	s.total.observe(total)
	for i := range t {
		if t[running] > 0 {
			s.phases[i].observe(t[i])
		}
	}
}

func (s *stats) ran(rows int64) { s.rows.add(frame.RowBucket(rows), rows) }

func (s *stats) snapshot() frame.Stats {
	f := frame.Stats{Requests: map[int]uint64{}, Phases: map[string]frame.Histogram{"total": s.total.read(1e-9)}, Rows: s.rows.read(1)}
	for status := range s.statuses {
		if n := s.statuses[status].Load(); n > 0 {
			f.Requests[status] = n
		}
	}
	for i, name := range phaseNames {
		f.Phases[name] = s.phases[i].read(1e-9)
	}
	return f
}
