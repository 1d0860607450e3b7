package worker_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/serving/frame"
	"hearth/serving/tensor"
	"hearth/serving/worker"
)

// halfPlusTwo computes x/2+2; before, if not nil, is called in each run first.
type halfPlusTwo struct {
	signatures map[string]*tensor.Signature
	before     func(x float32) error
}

func newHalfPlusTwo(before func(x float32) error) *halfPlusTwo {
	return &halfPlusTwo{before: before, signatures: map[string]*tensor.Signature{"serving_default": {
		Name:    "serving_default",
		Inputs:  map[string]tensor.Spec{"x": {Name: "x", DType: tensor.Float32, Shape: []int64{-1}}},
		Outputs: map[string]tensor.Spec{"y": {Name: "y", DType: tensor.Float32, Shape: []int64{-1}}},
	}}}
}

func (h *halfPlusTwo) Signatures() map[string]*tensor.Signature { return h.signatures }
func (h *halfPlusTwo) Close() error                             { return nil }

func (h *halfPlusTwo) Run(_ context.Context, _ *tensor.Signature, in map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	x := in["x"]
	y := &tensor.Tensor{DType: tensor.Float32, Shape: x.Shape}
	for i := 0; i < len(x.Data); i += 4 {
		v := math.Float32frombits(binary.NativeEndian.Uint32(x.Data[i:]))
		if h.before != nil {
			if err := h.before(v); err != nil {
				return nil, err
			}
		}
		y.Data = binary.NativeEndian.AppendUint32(y.Data, math.Float32bits(v/2+2))
	}
	return []*tensor.Tensor{y}, nil
}

// running is a worker in this process.
type running struct {
	t    *testing.T
	dir  string
	stop context.CancelFunc
	done chan error
}

func start(t *testing.T, runs int, load worker.Loader) *running {
	t.Helper()
	return startLimited(t, runs, load, worker.Limits{})
}

func startLimited(t *testing.T, runs int, load worker.Loader, limits worker.Limits) *running {
	t.Helper()
	return startOptions(t, worker.Options{Loader: load, Runs: runs, Limits: limits})
}

func startOptions(t *testing.T, o worker.Options) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, dir: t.TempDir(), stop: cancel, done: make(chan error, 1)}
	o.Dir, o.ModelDir, o.Log = r.dir, "/m", zerolog.Nop()
	go func() {
		r.done <- worker.Main(ctx, o)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-r.done; err != nil {
			t.Errorf("Main gave %v", err)
		}
	})
	return r
}

func serving(t *testing.T, runs int, s worker.Servable) *running {
	t.Helper()
	return servingLimited(t, runs, s, worker.Limits{})
}

func servingLimited(t *testing.T, runs int, s worker.Servable, limits worker.Limits) *running {
	t.Helper()
	r := startLimited(t, runs, func(context.Context, string, worker.Threads) (worker.Servable, error) { return s, nil }, limits)
	if f := r.ask(r.dial(), frame.Frame{Kind: frame.State, Timeout: time.Minute}); f.Status != frame.Ready {
		t.Fatalf("state %d: %s", f.Status, f.Body)
	}
	return r
}

// dial connects, once the worker listens.
func (r *running) dial() *frame.Conn {
	r.t.Helper()
	for {
		c, err := frame.Dial(context.Background(), r.dir)
		if err == nil {
			r.t.Cleanup(func() { c.Close() })
			return c
		}
		select {
		case err := <-r.done:
			r.done <- err
			r.t.Fatalf("the worker ended: %v", err)
		default:
		}
	}
}

func (r *running) ask(c *frame.Conn, f frame.Frame) frame.Frame {
	r.t.Helper()
	if err := c.Write(f); err != nil {
		r.t.Fatal(err)
	}
	answer, err := c.Read()
	if err != nil {
		r.t.Fatal(err)
	}
	return answer
}

// A model that never returns costs its worker its life, and nobody waits for ever.
func TestMain_RunThatDoesNotReturn(t *testing.T) {
	leave, stuck := make(chan struct{}), make(chan struct{})
	m := newHalfPlusTwo(func(x float32) error {
		if x == 7 {
			<-leave
		}
		return nil
	})
	r := startOptions(t, worker.Options{Runs: 1, Limits: worker.Limits{Timeout: time.Millisecond, Stuck: time.Millisecond}, Stuck: func() { close(stuck) },
		Loader: func(context.Context, string, worker.Threads) (worker.Servable, error) { return m, nil }})
	c := r.dial()
	r.ask(c, frame.Frame{Kind: frame.State, Timeout: time.Minute})
	if err := c.Write(predict(`{"instances": [7]}`)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stuck:
	case <-time.After(10 * time.Second):
		t.Error("nobody noticed")
	}
	close(leave)
}

func TestMain_Metrics(t *testing.T) {
	r := serving(t, 1, newHalfPlusTwo(nil))
	c := r.dial()
	for range 3 {
		r.ask(c, predict(`{"instances": [1, 2, 3]}`))
	}
	r.ask(c, predict(`{"instances": ["x"]}`))
	var s frame.Stats
	if err := json.Unmarshal(r.ask(c, frame.Frame{Kind: frame.Metrics}).Body, &s); err != nil {
		t.Fatal(err)
	}
	count := func(h frame.Histogram) (n uint64) {
		for _, c := range h.Counts {
			n += c
		}
		return n
	}
	if s.Requests[200] != 3 || s.Requests[400] != 1 || count(s.Phases["total"]) != 4 || count(s.Phases["run"]) != 3 || s.Rows.Sum != 9 || s.Rows.Counts[2] != 3 || s.InFlight != 0 {
		t.Errorf("%+v", s)
	}
}

func predict(body string) frame.Frame {
	return frame.Frame{Kind: frame.Predict, Timeout: time.Minute, Body: []byte(body)}
}

func TestMain_Predict(t *testing.T) {
	r := serving(t, 1, newHalfPlusTwo(func(x float32) error {
		if x == 99 {
			return ml.Errorf(ml.InvalidArgument, "no x of 99")
		}
		return nil
	}))
	c := r.dial()
	for name, tc := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"bare values":   {`{"instances": [1, 5.0]}`, 200, `{"predictions": [{"y": 2.5}, {"y": 4.5}]}`},
		"objects":       {`{"instances": [{"x": 2}], "signature_name": "serving_default"}`, 200, `{"predictions": [{"y": 3.0}]}`},
		"wrong shape":   {`{"instances": [[1, 2]]}`, 400, `Prediction failed: Invalid inputs: `},
		"graph error":   {`{"instances": [99]}`, 400, `Prediction failed: no x of 99`},
		"wrong name":    {`{"instances": [{"z": 1}]}`, 400, `Prediction failed: `},
		"wrong type":    {`{"instances": ["one"]}`, 400, `Prediction failed: `},
		"no signature":  {`{"instances": [1], "signature_name": "other"}`, 400, `No signature found for signature key other`},
		"none":          {`{"instances": []}`, 400, `Prediction failed: `},
		"truncated":     {`{"instances": [1`, 400, `Prediction failed: `},
		"not JSON":      {`hello`, 400, `Prediction failed: `},
		"no body":       {``, 400, `Prediction failed: `},
		"many, at once": {`{"instances": [` + strings.Repeat("1,", 100000) + `1]}`, 200, `{"y": 2.5}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := r.ask(c, predict(tc.body))
			got := string(f.Body)
			if f.Kind != frame.Answer || f.Status != tc.status || !strings.Contains(normal(got), normal(tc.want)) {
				t.Errorf("kind %d status %d: %.200s; want %d with %s", f.Kind, f.Status, got, tc.status, tc.want)
			}
			if tc.status == 400 && !strings.HasPrefix(got, `{"error":"Prediction failed: `) {
				t.Errorf("not predict's error form: %s", got)
			}
		})
	}
}

// normal makes answers comparable that differ in how they write 3.0 and spaces.
func normal(s string) string {
	return strings.NewReplacer(" ", "", ".0}", "}").Replace(s)
}

func TestMain_Panic(t *testing.T) {
	r := serving(t, 1, newHalfPlusTwo(func(x float32) error {
		if x == 13 {
			panic("unlucky")
		}
		return nil
	}))
	c := r.dial()
	for range 2 {
		if f := r.ask(c, predict(`{"instances": [13]}`)); f.Kind != frame.Error || ml.Kind(f.Status) != ml.Internal || strings.Contains(string(f.Body), "unlucky") {
			t.Errorf("a panic gave kind %d status %d %s", f.Kind, f.Status, f.Body)
		}
		if f := r.ask(c, predict(`{"instances": [1]}`)); f.Status != 200 {
			t.Errorf("after a panic: %d %s", f.Status, f.Body)
		}
	}
}

func TestMain_Load(t *testing.T) {
	withString := newHalfPlusTwo(func(float32) error { return nil })
	withString.signatures["picture"] = &tensor.Signature{Name: "picture",
		Inputs:  map[string]tensor.Spec{"bytes": {Name: "bytes", DType: tensor.String, Shape: []int64{-1}}},
		Outputs: map[string]tensor.Spec{}}
	for name, tc := range map[string]struct {
		load  worker.Loader
		state int
		want  string
	}{
		"fails": {func(context.Context, string, worker.Threads) (worker.Servable, error) {
			return nil, ml.Errorf(ml.InvalidArgument, "no meta graph")
		}, frame.Failed, "no meta graph"},
		"panics": {func(context.Context, string, worker.Threads) (worker.Servable, error) { panic("oh") }, frame.Failed, "oh"},
		"no signatures": {func(context.Context, string, worker.Threads) (worker.Servable, error) {
			return &halfPlusTwo{}, nil
		}, frame.Failed, "no signature"},
		"lost variables": {func(context.Context, string, worker.Threads) (worker.Servable, error) {
			return newHalfPlusTwo(func(float32) error {
				return ml.Errorf(ml.InvalidArgument, "Could not find variable dense/kernel.")
			}), nil
		}, frame.Failed, "model.export"},
		"refuses made-up inputs": {func(context.Context, string, worker.Threads) (worker.Servable, error) {
			return refusing{withString}, nil
		}, frame.Ready, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, 1, tc.load)
			c := r.dial()
			for range 2 {
				f := r.ask(c, frame.Frame{Kind: frame.State, Timeout: time.Minute})
				if f.Status != tc.state || !strings.Contains(string(f.Body), tc.want) {
					t.Errorf("state %d %q, want %d with %q", f.Status, f.Body, tc.state, tc.want)
				}
			}
			if tc.state != frame.Failed {
				return
			}
			if f := r.ask(c, predict(`{"instances": [1]}`)); f.Kind != frame.Error || ml.Kind(f.Status) != ml.Unavailable {
				t.Errorf("a worker that failed answered kind %d status %d %s", f.Kind, f.Status, f.Body)
			}
		})
	}
}

// refusing is a model that wants a picture and no empty string.
type refusing struct{ *halfPlusTwo }

func (r refusing) Run(ctx context.Context, sig *tensor.Signature, in map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	if sig.Name == "picture" {
		return nil, ml.Errorf(ml.InvalidArgument, "Unknown image file format.")
	}
	return r.halfPlusTwo.Run(ctx, sig, in)
}

func TestMain_StateWhileLoading(t *testing.T) {
	proceed := make(chan struct{})
	r := start(t, 1, func(context.Context, string, worker.Threads) (worker.Servable, error) {
		<-proceed
		return newHalfPlusTwo(nil), nil
	})
	c := r.dial()
	if f := r.ask(c, frame.Frame{Kind: frame.State, Timeout: time.Millisecond}); f.Status != frame.Loading {
		t.Errorf("state %d, want %d", f.Status, frame.Loading)
	}
	if f := r.ask(c, predict(`{"instances": [1]}`)); f.Kind != frame.Error || ml.Kind(f.Status) != ml.Unavailable {
		t.Errorf("predict while loading: kind %d status %d", f.Kind, f.Status)
	}
	close(proceed)
	if f := r.ask(c, frame.Frame{Kind: frame.State, Timeout: time.Minute}); f.Status != frame.Ready {
		t.Errorf("state %d, want %d", f.Status, frame.Ready)
	}
}

func TestMain_StopFinishesRequests(t *testing.T) {
	entered, proceed := make(chan struct{}), make(chan struct{})
	r := serving(t, 1, newHalfPlusTwo(func(x float32) error {
		if x == 7 {
			close(entered)
			<-proceed
		}
		return nil
	}))
	idle, busy := r.dial(), r.dial()
	r.ask(idle, predict(`{"instances": [1]}`))
	if err := busy.Write(predict(`{"instances": [7]}`)); err != nil {
		t.Fatal(err)
	}
	<-entered
	r.stop()
	if _, err := idle.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection gave %v, want its end", err)
	}
	if _, err := frame.Dial(t.Context(), r.dir); err == nil {
		t.Error("a worker that is ending accepted a connection")
	}
	close(proceed)
	f, err := busy.Read()
	if err != nil || f.Status != 200 {
		t.Errorf("the request in flight: %d %s, %v", f.Status, f.Body, err)
	}
	if _, err := busy.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection behind it gave %v, want its end", err)
	}
}

func TestMain_RunsAreBounded(t *testing.T) {
	var now, most atomic.Int32
	var entered sync.WaitGroup
	entered.Add(2)
	proceed := make(chan struct{})
	r := serving(t, 2, newHalfPlusTwo(func(x float32) error {
		if x != 7 {
			return nil
		}
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		entered.Done()
		<-proceed
		return nil
	}))
	var conns []*frame.Conn
	for range 2 {
		conns = append(conns, r.dial())
		if err := conns[len(conns)-1].Write(predict(`{"instances": [7]}`)); err != nil {
			t.Fatal(err)
		}
	}
	entered.Wait()
	f := r.ask(r.dial(), frame.Frame{Kind: frame.Predict, Timeout: time.Millisecond, Body: []byte(`{"instances": [1]}`)})
	if f.Kind != frame.Error || ml.Kind(f.Status) != ml.DeadlineExceeded {
		t.Errorf("a request that waited too long: kind %d status %d %s", f.Kind, f.Status, f.Body)
	}
	close(proceed)
	for _, c := range conns {
		if f, err := c.Read(); err != nil || f.Status != 200 {
			t.Errorf("status %d, %v", f.Status, err)
		}
	}
	if most.Load() != 2 {
		t.Errorf("%d runs at once, want 2", most.Load())
	}
}

func TestMain_NoFrameClosesTheConnection(t *testing.T) {
	r := serving(t, 1, newHalfPlusTwo(nil))
	c := r.dial()
	if err := c.Write(frame.Frame{Kind: frame.Answer, Status: 200}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("an answer that nobody asked for gave %v, want the end of the connection", err)
	}
	if f := r.ask(r.dial(), predict(`{"instances": [1]}`)); f.Status != 200 {
		t.Errorf("the next connection: %d", f.Status)
	}
}
