package worker

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/serving/frame"
	"hearth/serving/tensor"
)

// Threads is how a session spreads its work, in the words of TensorFlow's
// ConfigProto: InterOp threads run operations side by side (-1: the thread that
// asks runs them all, 0: as many as there are processors), IntraOp threads share
// one operation.
type Threads struct{ InterOp, IntraOp int32 }

func (t Threads) String() string {
	return fmt.Sprintf("inter_op=%d intra_op=%d", t.InterOp, t.IntraOp)
}

// Ways are those in which a model is tried out on a machine with so many processors.
// They differ in who runs a graph's operations, not in how many threads share one: in a
// process all sessions have the threads of the first, and what was made ready for one
// number of them is used with another, which changes the last digits. With two
// processors an operation is best left to one thread: the other one has requests to read
// and parse, and waking a pool costs more than half an operation saves.
func Ways(processors int) []Threads {
	intra := int32(0)
	if processors <= 2 {
		intra = 1
	}
	return []Threads{{InterOp: -1, IntraOp: intra}, {IntraOp: intra}}
}

// How long a way to run a model is measured: the time of one request alone, and
// the rows that are got through when many come.
const (
	aloneTime = 120 * time.Millisecond
	crowdTime = 50 * time.Millisecond
	// alonePause is between requests that come alone. Without one the threads of a pool
	// would be found awake each time, as no client finds them.
	alonePause = time.Millisecond
	// clearlyBetter is what a later candidate has to be to be chosen, since
	// measurements vary.
	clearlyBetter = 1.2
	// largestTried is the size of files up to which a model is loaded in other
	// ways too: for a moment there are two of it in memory.
	largestTried = 1 << 30
)

// loaded is a model in memory with what was found out about it.
type loaded struct {
	Servable
	try     *samples
	threads Threads
	runs    int
	// processors is how many there are.
	processors int
	batches    map[*tensor.Signature]int64
	// cost is lower where one request alone takes less time and many requests are
	// got through faster, both weighing the same; 0 if it could not be measured.
	cost float64
}

// load loads the model in each of the ways that there are, warms it up and keeps
// the one in which it runs best on this machine: what is best depends on the
// model, by a factor of up to eight. The others are closed.
func load(ctx context.Context, o Options) (*loaded, error) {
	if t := o.Tuning; t != nil && t.Processors == o.processors {
		return loadTuned(ctx, o)
	}
	ways := o.Threads
	if len(ways) == 0 {
		ways = []Threads{{}}
	}
	if len(ways) > 1 {
		defer awaitQuiet(ctx)()
	}
	recorded, err := readRecorded(o.ModelDir)
	if err != nil {
		return nil, err
	}
	best, err := loadOne(ctx, o, recorded, ways[0])
	if err != nil {
		return nil, err
	}
	for _, way := range ways[1:] {
		// It cannot be tried out, or two of it take too much room.
		if best.cost == 0 || size(o.ModelDir) > largestTried {
			break
		}
		next, err := loadOne(ctx, o, recorded, way)
		if err != nil {
			best.Close()
			return nil, err
		}
		if next.cost > 0 && next.cost*clearlyBetter < best.cost {
			best, next = next, best
		}
		if err := next.Close(); err != nil {
			best.Close()
			return nil, err
		}
	}
	o.Log.Info().Msg("how the model runs best here: " + best.String())
	return best, nil
}

// String says how the model is run.
func (m *loaded) String() string {
	text := fmt.Sprintf("%s, %d runs at once", m.threads, m.runs)
	signatures := slices.SortedFunc(maps.Keys(m.batches), func(a, b *tensor.Signature) int { return strings.Compare(a.Name, b.Name) })
	for _, sig := range signatures {
		if rows := m.batches[sig]; rows > 0 {
			text += fmt.Sprintf(", up to %d rows of requests for %s that wait in one run", rows, sig.Name)
		}
	}
	if n := len(m.try.requests); n > 0 {
		text += fmt.Sprintf(", warmed up with %d requests of its own", n)
	}
	return text
}

// tuning is how the model is run, for a later worker.
func (m *loaded) tuning() *frame.Tuning {
	t := &frame.Tuning{InterOp: m.threads.InterOp, IntraOp: m.threads.IntraOp, Runs: m.runs, Rows: map[string]int64{}, Processors: m.processors}
	for sig, rows := range m.batches {
		t.Rows[sig.Name] = rows
	}
	return t
}

// loadTuned loads the model as an earlier worker found best, and warms it up for
// batches of every size.
func loadTuned(ctx context.Context, o Options) (*loaded, error) {
	recorded, err := readRecorded(o.ModelDir)
	if err != nil {
		return nil, err
	}
	m, err := open(ctx, o, recorded, Threads{o.Tuning.InterOp, o.Tuning.IntraOp})
	if err != nil {
		return nil, err
	}
	m.runs = o.Tuning.Runs
	if err := m.warmUp(ctx, o.Log); err != nil {
		m.Close()
		return nil, err
	}
	for name, rows := range o.Tuning.Rows {
		sig := m.Signatures()[name]
		if sig == nil {
			continue
		}
		m.batches[sig] = rows
		for n := int64(1); n <= rows; n *= 2 {
			if _, ok := timeRuns(ctx, m.Servable, m.try, sig, n, 1); !ok {
				break
			}
		}
	}
	o.Log.Info().Msg("the model runs as was found best before: " + m.String())
	return m, nil
}

// size is that of the files in a folder, in bytes.
func size(dir string) (sum int64) {
	// What cannot be read does not load either.
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// open loads the model in one way.
func open(ctx context.Context, o Options, recorded [][]byte, way Threads) (*loaded, error) {
	s, err := o.Loader(ctx, o.ModelDir, way)
	if err != nil {
		return nil, err
	}
	m := &loaded{Servable: WithFixed(s), threads: way, runs: o.Runs, processors: o.processors, batches: map[*tensor.Signature]int64{}}
	if m.try, err = newSamples(recorded, s.Signatures()); err != nil {
		s.Close()
		return nil, err
	}
	return m, nil
}

// loadOne loads the model in one way, warms it up and tries it out.
func loadOne(ctx context.Context, o Options, recorded [][]byte, way Threads) (*loaded, error) {
	m, err := open(ctx, o, recorded, way)
	if err != nil {
		return nil, err
	}
	if err := m.prepare(ctx, o); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *loaded) warmUp(ctx context.Context, log zerolog.Logger) error {
	if len(m.Signatures()) == 0 {
		return ml.Errorf(ml.InvalidArgument, "The SavedModel has no signature that can be served; export it with at least serving_default.")
	}
	return warmUp(ctx, m.Servable, m.try, log)
}

func (m *loaded) prepare(ctx context.Context, o Options) error {
	if err := m.warmUp(ctx, o.Log); err != nil {
		return err
	}
	for sig := range m.try.rows {
		m.batches[sig] = m.limitRows(ctx, o.Limits.Batch, sig)
	}
	sig, err := tensor.Select(m.Signatures(), "")
	if err != nil {
		return nil // every request must name one, and none is like another
	}
	if _, known := m.batches[sig]; !known {
		m.batches[sig] = m.limitRows(ctx, o.Limits.Batch, sig)
	}
	limit := m.batches[sig]
	if len(o.Threads) > 1 {
		m.measure(ctx, sig, max(1, limit))
	}
	o.Log.Info().Stringer("threads", m.threads).Str("signature", sig.Name).Int64("rows", limit).Int("runs", m.runs).Float64("cost", m.cost).
		Msg("tried out: how many rows requests may fill together (0: each is run by itself), and how many runs at once are best")
	return nil
}

// limitRows is how many rows of a signature requests may fill together: what is best,
// but no more than most, if that is not 0. 0: none do.
func (m *loaded) limitRows(ctx context.Context, most int, sig *tensor.Signature) int64 {
	if most == 1 {
		return 0
	}
	best := batchLimit(ctx, m.Servable, m.try, sig)
	if most > 0 {
		best = min(best, int64(most))
	}
	return best
}

// measure finds out whether more rows are got through by as many runs at once as the
// machine has processors for, or by one at a time, and the cost. If it makes little
// difference there are many, since then few requests wait for others.
func (m *loaded) measure(ctx context.Context, sig *tensor.Signature, rows int64) {
	alone, ok := m.alone(ctx, sig)
	if !ok {
		return
	}
	var best float64
	most := m.runs
	for _, runs := range slices.Compact([]int{most, 1}) {
		rate := max(m.crowd(ctx, sig, rows, runs), m.crowd(ctx, sig, rows, runs))
		if rate > best*clearlyBetter {
			best, m.runs = rate, runs
		}
	}
	if best > 0 {
		m.cost = alone.Seconds() / best
	}
}

// alone is the time of a run of one row that comes after a pause: the lower quartile,
// since what disturbs a measurement only makes it longer.
func (m *loaded) alone(ctx context.Context, sig *tensor.Signature) (time.Duration, bool) {
	var times []time.Duration
	for began := time.Now(); len(times) < 3 || time.Since(began) < aloneTime; {
		time.Sleep(alonePause)
		took, ok := timeRuns(ctx, m.Servable, m.try, sig, 1, 1)
		if !ok {
			return 0, false
		}
		times = append(times, took)
	}
	slices.Sort(times)
	return times[len(times)/4], true
}

// crowd is how many rows a second are got through by so many runs at once.
func (m *loaded) crowd(ctx context.Context, sig *tensor.Signature, rows int64, runs int) float64 {
	var mu sync.Mutex
	var done int64
	var callers sync.WaitGroup
	began := time.Now()
	for range runs {
		callers.Go(func() {
			n := int64(0)
			for n == 0 || time.Since(began) < crowdTime {
				if _, ok := timeRuns(ctx, m.Servable, m.try, sig, rows, 1); !ok {
					break
				}
				n += rows
			}
			mu.Lock()
			defer mu.Unlock()
			done += n
		})
	}
	callers.Wait()
	return float64(done) / time.Since(began).Seconds()
}
