package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth/ml"
	"hearth/serving/tensor"
)

// doubler computes 2x of rows of one number, notes the batches that it gets and
// does what special numbers want: 7 waits, 99 is refused, 13 panics.
type doubler struct {
	sig     *tensor.Signature
	entered chan struct{}
	proceed chan struct{}

	mu      sync.Mutex
	batches [][]float32
}

func newDoubler() *doubler {
	return &doubler{entered: make(chan struct{}, 1), proceed: make(chan struct{}), sig: &tensor.Signature{
		Name:    "serving_default",
		Inputs:  map[string]tensor.Spec{"x": {Name: "x", DType: tensor.Float32, Shape: []int64{-1}}},
		Outputs: map[string]tensor.Spec{"y": {Name: "y", DType: tensor.Float32, Shape: []int64{-1}}},
	}}
}

func (d *doubler) Signatures() map[string]*tensor.Signature {
	return map[string]*tensor.Signature{d.sig.Name: d.sig}
}
func (d *doubler) Close() error { return nil }

func (d *doubler) Run(_ context.Context, _ *tensor.Signature, in map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	x := floats(in["x"])
	d.mu.Lock()
	d.batches = append(d.batches, x)
	d.mu.Unlock()
	y := make([]float32, len(x))
	for i, v := range x {
		switch v {
		case 7:
			d.entered <- struct{}{}
			<-d.proceed
		case 99:
			return nil, ml.Errorf(ml.InvalidArgument, "no 99")
		case 13:
			panic("unlucky")
		}
		y[i] = 2 * v
	}
	return []*tensor.Tensor{column(y...)}, nil
}

func column(v ...float32) *tensor.Tensor {
	t := &tensor.Tensor{DType: tensor.Float32, Shape: []int64{int64(len(v))}}
	for _, x := range v {
		t.Data = binary.NativeEndian.AppendUint32(t.Data, math.Float32bits(x))
	}
	return t
}

func floats(t *tensor.Tensor) []float32 {
	var v []float32
	for i := 0; i < len(t.Data); i += 4 {
		v = append(v, math.Float32frombits(binary.NativeEndian.Uint32(t.Data[i:])))
	}
	return v
}

// queue is turns at a doubler with one run at a time, which a first request holds.
type queue struct {
	*turns
	model   *doubler
	answers sync.WaitGroup
}

func newQueue(limit int64) *queue {
	d := newDoubler()
	q := &queue{turns: newTurns(d, 1, map[*tensor.Signature]int64{d.sig: limit}, func(int64) {}), model: d}
	q.ask(time.Time{}, func([]float32, error) {}, 7)
	<-d.entered
	return q
}

// ask lets a request come, and returns when it waits or runs.
func (q *queue) ask(deadline time.Time, answer func([]float32, error), x ...float32) {
	q.mu.Lock()
	before, free := len(q.waiting), q.free
	q.mu.Unlock()
	var answered atomic.Bool
	q.answers.Go(func() {
		defer answered.Store(true)
		defer func() {
			if p := recover(); p != nil {
				answer(nil, fmt.Errorf("panic: %v", p))
			}
		}()
		out, _, err := q.run(time.Now(), deadline, tensor.Request{Signature: q.model.sig, Inputs: map[string]*tensor.Tensor{"x": column(x...)}})
		if err != nil {
			answer(nil, err)
			return
		}
		answer(floats(out[0]), nil)
	})
	for q.mu.Lock(); len(q.waiting) == before && q.free == free && !answered.Load(); q.mu.Lock() {
		q.mu.Unlock()
		runtime.Gosched()
	}
	q.mu.Unlock()
}

// wants is an answer that a test expects.
func wants(t *testing.T, want ...float32) func([]float32, error) {
	return func(got []float32, err error) {
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
}

func (q *queue) finish(t *testing.T, want ...[]float32) {
	t.Helper()
	close(q.model.proceed)
	q.answers.Wait()
	got := q.model.batches[1:]
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("runs %v, want %v", got, want)
	}
	if q.free != 1 || len(q.waiting) != 0 {
		t.Errorf("%d runs are free, %d requests wait", q.free, len(q.waiting))
	}
}

func TestTurns_ThoseThatWaitGoTogether(t *testing.T) {
	q := newQueue(8)
	q.ask(time.Time{}, wants(t, 2), 1)
	q.ask(time.Time{}, wants(t, 4, 6), 2, 3)
	q.ask(time.Time{}, wants(t, 8), 4)
	q.finish(t, []float32{1, 2, 3, 4})
}

func TestTurns_NoMoreThanTheLimit(t *testing.T) {
	q := newQueue(4)
	q.ask(time.Time{}, wants(t, 2, 2, 2), 1, 1, 1)
	q.ask(time.Time{}, wants(t, 4, 4), 2, 2)
	q.ask(time.Time{}, wants(t, 6), 3)
	q.ask(time.Time{}, wants(t, 8, 8, 8, 8, 8), 4, 4, 4, 4, 4)
	q.finish(t, []float32{1, 1, 1, 3}, []float32{2, 2}, []float32{4, 4, 4, 4, 4})
}

func TestTurns_OneByOneWithoutBatches(t *testing.T) {
	q := newQueue(0)
	q.ask(time.Time{}, wants(t, 2), 1)
	q.ask(time.Time{}, wants(t, 4), 2)
	q.finish(t, []float32{1}, []float32{2})
}

func TestTurns_OneRefusedCostsOthersNothing(t *testing.T) {
	q := newQueue(8)
	q.ask(time.Time{}, wants(t, 2), 1)
	q.ask(time.Time{}, func(_ []float32, err error) {
		if ml.KindOf(err) != ml.InvalidArgument {
			t.Errorf("the one at fault: %v", err)
		}
	}, 99)
	q.ask(time.Time{}, wants(t, 4), 2)
	q.finish(t, []float32{1, 99, 2}, []float32{99}, []float32{2}, []float32{1})
}

func TestTurns_PanicLeavesNobodyWaiting(t *testing.T) {
	q := newQueue(8)
	failed := func(_ []float32, err error) {
		if err == nil {
			t.Error("an answer out of a panic")
		}
	}
	q.ask(time.Time{}, failed, 1)
	q.ask(time.Time{}, failed, 13)
	q.finish(t, []float32{1, 13})
	q.model.proceed = nil
	if out, _, err := q.run(time.Now(), time.Time{}, tensor.Request{Signature: q.model.sig, Inputs: map[string]*tensor.Tensor{"x": column(5)}}); err != nil || floats(out[0])[0] != 10 {
		t.Errorf("after a panic: %v, %v", out, err)
	}
}

func TestTurns_PastItsDeadlineItIsNotRun(t *testing.T) {
	q := newQueue(8)
	late := make(chan error, 1)
	q.ask(time.Now().Add(time.Millisecond), func(_ []float32, err error) { late <- err }, 5)
	if err := <-late; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("late: %v", err)
	}
	q.ask(time.Now().Add(time.Hour), wants(t, 2), 1)
	q.finish(t, []float32{1})
}

// comparing is a model whose rows mean something to one another: each is set off
// against the largest.
type comparing struct{ *doubler }

func (c comparing) Run(_ context.Context, _ *tensor.Signature, in map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	x := floats(in["x"])
	most := slices.Max(x)
	for i := range x {
		x[i] -= most
	}
	return []*tensor.Tensor{column(x...)}, nil
}

func TestBatchLimit(t *testing.T) {
	of := func(s Servable, change func(*tensor.Signature)) int64 {
		sig := s.Signatures()["serving_default"]
		change(sig)
		return batchLimit(t.Context(), s, &samples{}, sig)
	}
	same := func(*tensor.Signature) {}
	shape := func(shape ...int64) func(*tensor.Signature) {
		return func(s *tensor.Signature) {
			x := s.Inputs["x"]
			x.Shape = shape
			s.Inputs["x"] = x
		}
	}
	if n := of(newDoubler(), same); n < 2 {
		t.Errorf("a model that doubles takes %d rows", n)
	}
	if n := of(comparing{newDoubler()}, same); n != 0 {
		t.Errorf("a model that compares rows takes %d of them", n)
	}
	if n := of(newDoubler(), shape(1)); n != 0 {
		t.Errorf("a model of fixed batches takes %d rows", n)
	}
	if n := of(newDoubler(), shape()); n != 0 {
		t.Errorf("a model of scalars takes %d rows", n)
	}
}
