package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"hearth/ml"
	"hearth/serving/frame"
)

// maxKeptAnswer is the size up to which a connection keeps the buffer that its
// answers are made in.
const maxKeptAnswer = 1 << 20

// maxAnswerHead is room for the head of most answers.
const maxAnswerHead = 128

// serve accepts connections until ctx ends, then waits for the requests that
// have been read to be answered.
func (w *worker) serve(ctx context.Context, l net.Listener) error {
	conns := newConnSet()
	stop := context.AfterFunc(ctx, func() {
		l.Close()
		conns.stop()
	})
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			conns.stop()
			return fmt.Errorf("accept connections: %w", err)
		}
		conn, err := frame.NewConn(c.(*net.UnixConn))
		if err != nil {
			w.log.Error().Err(err).Msg("connection closed")
			continue
		}
		if !conns.add(conn) {
			conn.Close()
			continue
		}
		open.Go(func() {
			defer conns.remove(conn)
			w.serveConn(ctx, conn)
		})
	}
}

// serveConn answers the requests of one connection, one after the other. What
// is no frame closes it.
func (w *worker) serveConn(ctx context.Context, conn *frame.Conn) {
	defer conn.Close()
	var buf []byte
	for {
		request, err := conn.Read()
		if err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				w.log.Error().Err(err).Msg("connection closed")
			}
			return
		}
		var answer frame.Frame
		switch request.Kind {
		case frame.State:
			answer = w.answerState(ctx, request.Timeout)
		case frame.Metrics:
			answer = w.answerMetrics()
		case frame.Predict:
			answer = w.answerPredict(request, buf[:0])
			buf = answer.Body[:0]
		default:
			w.log.Error().Uint8("kind", uint8(request.Kind)).Msg("connection closed: nothing that can be asked")
			return
		}
		conn.Release()
		if err := conn.Write(answer); err != nil {
			w.log.Error().Err(err).Msg("answer not sent")
			return
		}
		if cap(buf) > maxKeptAnswer {
			buf = nil
		}
	}
}

// answerState waits until the state is final, or timeout has passed.
func (w *worker) answerState(ctx context.Context, timeout time.Duration) frame.Frame {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case <-w.changed:
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return frame.Frame{Kind: frame.State, Status: w.state, Head: []byte(w.tuning), Body: []byte(w.message)}
}

// answerMetrics tells what has been done.
func (w *worker) answerMetrics() frame.Frame {
	var s frame.Stats
	if h := w.ready(); h != nil {
		s = h.Stats()
	}
	body, err := json.Marshal(s)
	if err != nil {
		// Stats always has a JSON form.
		panic(err)
	}
	return frame.Frame{Kind: frame.Metrics, Body: body}
}

// unready says why nothing is answered.
func (w *worker) unready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return ml.Errorf(ml.Unavailable, "%s", cmp.Or(w.message, "The model is still being loaded."))
}

// answerPredict lets the handler answer within the request's time. It does not
// end with the worker: what was read is answered.
func (w *worker) answerPredict(request frame.Frame, buf []byte) frame.Frame {
	handler := w.ready()
	if handler == nil {
		return failure(w.unready(), buf)
	}
	var deadline time.Time
	if request.Timeout > 0 {
		deadline = time.Now().Add(request.Timeout)
	}
	a, err := handler.Predict(frame.Method(request.Status), deadline, request.Body, buf)
	if err != nil {
		return failure(err, buf)
	}
	if len(a.Body) > frame.MaxBody {
		return failure(ml.Errorf(ml.Internal, "The answer is larger than %d bytes; send fewer instances.", frame.MaxBody), buf)
	}
	head := a.timing.appendHeader(append(append(make([]byte, 0, maxAnswerHead), a.ContentType...), '\n'))
	return frame.Frame{Kind: frame.Answer, Status: a.Status, Head: head, Body: a.Body}
}

func failure(err error, buf []byte) frame.Frame {
	return frame.Frame{Kind: frame.Error, Status: int(ml.KindOf(err)), Body: append(buf, sentence(err)...)}
}

// connSet is the connections that are open.
type connSet struct {
	mu      sync.Mutex
	open    map[*frame.Conn]struct{}
	stopped bool
}

func newConnSet() *connSet { return &connSet{open: map[*frame.Conn]struct{}{}} }

// add takes a connection in, unless no more are wanted.
func (s *connSet) add(c *frame.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.open[c] = struct{}{}
	return true
}

func (s *connSet) remove(c *frame.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// stop ends the reads of all connections: those that wait for a request close,
// those that answer one close behind it.
func (s *connSet) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for c := range s.open {
		// An error means that the connection is closed already.
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}
