package worker

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hearth/serving/frame"
	"hearth/serving/tensor"
)

// paced is a model whose runs take a time of their own.
type paced struct {
	*doubler
	takes  time.Duration
	closed bool
}

func (p *paced) Run(ctx context.Context, sig *tensor.Signature, in map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	for began := time.Now(); time.Since(began) < p.takes; {
	}
	return p.doubler.Run(ctx, sig, in)
}

func (p *paced) Close() error { p.closed = true; return nil }

func TestLoad_KeepsTheFastest(t *testing.T) {
	takes := map[Threads]time.Duration{{InterOp: -1}: 2 * time.Millisecond, {InterOp: -1, IntraOp: 1}: 100 * time.Microsecond, {}: time.Millisecond}
	models := map[Threads]*paced{}
	o := Options{Runs: 2, Threads: []Threads{{InterOp: -1}, {InterOp: -1, IntraOp: 1}, {}}, Log: zerolog.Nop(),
		Loader: func(_ context.Context, _ string, way Threads) (Servable, error) {
			models[way] = &paced{doubler: newDoubler(), takes: takes[way]}
			return models[way], nil
		}}
	m, err := load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if m.threads != (Threads{InterOp: -1, IntraOp: 1}) {
		t.Errorf("chosen: %s, of the costs that %v make", m.threads, takes)
	}
	for way, model := range models {
		if model.closed == (way == m.threads) {
			t.Errorf("%s: closed %t", way, model.closed)
		}
	}
}

func TestLoad_TriesNoOtherWayWhereNoneCanBeMeasured(t *testing.T) {
	loads := 0
	o := Options{Runs: 2, Threads: []Threads{{InterOp: -1}, {}}, Log: zerolog.Nop(),
		Loader: func(context.Context, string, Threads) (Servable, error) {
			loads++
			d := newDoubler()
			d.sig.Inputs["x"] = tensor.Spec{Name: "x", DType: tensor.Complex64, Shape: []int64{-1}}
			return d, nil
		}}
	if m, err := load(t.Context(), o); err != nil || loads != 1 || m.runs != 2 {
		t.Errorf("%d loads, %v", loads, err)
	}
}

// A version's owner may bound how many rows requests fill together.
func TestLoad_BatchBound(t *testing.T) {
	for most, want := range map[int]func(int64) bool{
		0: func(n int64) bool { return n > 2 },
		2: func(n int64) bool { return n == 2 },
		1: func(n int64) bool { return n == 0 },
	} {
		p := &paced{doubler: newDoubler(), takes: 50 * time.Microsecond}
		m, err := load(t.Context(), Options{Runs: 1, Limits: Limits{Batch: most}, Log: zerolog.Nop(),
			Loader: func(context.Context, string, Threads) (Servable, error) { return p, nil }})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.batches[p.sig]; !want(got) {
			t.Errorf("with at most %d: %d", most, got)
		}
	}
}

// What one worker has tried out the next one of the version need not, unless the
// machine is another.
func TestLoad_Tuned(t *testing.T) {
	var ways []Threads
	o := Options{Runs: 2, Threads: []Threads{{InterOp: -1}, {}}, Log: zerolog.Nop(),
		Loader: func(_ context.Context, _ string, way Threads) (Servable, error) {
			ways = append(ways, way)
			return &paced{doubler: newDoubler(), takes: 20 * time.Microsecond}, nil
		}}
	first, err := load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Tuning = frame.ParseTuning(first.tuning().String())
	for _, elsewhere := range []bool{false, true} {
		ways = nil
		if elsewhere {
			o.Tuning.Processors++
		}
		m, err := load(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if tried := len(ways) > 1; tried != elsewhere {
			t.Errorf("on another machine: %t, loaded in the ways %v", elsewhere, ways)
		}
		if !elsewhere && m.String() != first.String() {
			t.Errorf("it runs %s, before %s", m, first)
		}
	}
}
