package worker

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/serving/frame"
	"hearth/serving/handover"
)

// Limits are those that the daemon keeps too, so that no client can tell who
// answers it. Zero means a default.
type Limits struct {
	// InFlight is how many requests may be under way or waiting.
	InFlight int
	// Batch is how many rows requests that share a run may have; 0: what is measured to
	// be best, 1: none do.
	Batch int
	// Body is the most bytes of a request's body.
	Body int64
	// Timeout is how long a prediction may take.
	Timeout time.Duration
	// Stuck is how long beyond it a run may go on before the worker ends.
	Stuck time.Duration
	// Idle is how long a connection may wait for a request.
	Idle time.Duration
}

func (l *Limits) setDefaults() {
	if l.InFlight <= 0 {
		l.InFlight = 256
	}
	if l.Body <= 0 {
		l.Body = 64 << 20
	}
	if l.Timeout <= 0 {
		l.Timeout = time.Minute
	}
	if l.Stuck <= 0 {
		l.Stuck = 10 * time.Second
	}
	if l.Idle <= 0 {
		l.Idle = 3 * time.Minute
	}
}

// direct answers HTTP requests on connections that the daemon lends.
type direct struct {
	limits Limits
	// handler gives what answers, nil while the model is not READY.
	handler func() *Handler
	log     zerolog.Logger

	stopped atomic.Bool
	mu      sync.Mutex
	seats   map[*handover.Seat]struct{}
	open    sync.WaitGroup
}

func newDirect(l Limits, handler func() *Handler, log zerolog.Logger) *direct {
	return &direct{limits: l, handler: handler, log: log, seats: map[*handover.Seat]struct{}{}}
}

// take answers what comes on a connection, of which something has been read.
func (d *direct) take(s *handover.Seat, read []byte) {
	h := d.handler()
	if h == nil || !d.add(s) {
		if s.GiveBack(read, handover.Refused) != nil {
			s.Close()
		}
		return
	}
	defer d.remove(s)
	c := &directConn{d: d, handler: h, seat: s, buf: read, have: len(read), told: make(chan struct{})}
	c.serve()
}

func (d *direct) add(s *handover.Seat) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped.Load() {
		return false
	}
	d.seats[s] = struct{}{}
	d.open.Add(1)
	return true
}

func (d *direct) remove(s *handover.Seat) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seats, s)
	d.open.Done()
}

// stop gives all connections back, those that answer a request behind the answer,
// and waits until it is done.
func (d *direct) stop() {
	d.mu.Lock()
	d.stopped.Store(true)
	for s := range d.seats {
		s.Interrupt()
	}
	d.mu.Unlock()
	d.open.Wait()
}

// directConn is one lent connection.
type directConn struct {
	d       *direct
	handler *Handler
	seat    *handover.Seat
	// first is the head of the first request: what the daemon decided on. Later
	// requests are answered here if they are like it.
	first handover.Head
	// answered counts the requests.
	answered int
	// last is the last request's head, whose text was lastText: clients repeat
	// theirs to the byte.
	last     handover.Head
	lastText []byte

	buf  []byte // have bytes of it have been read and not yet answered
	have int
	out  []byte
	// headers is room for further lines of an answer's head.
	headers []byte
	// late runs tellLate if a request takes too long; told is closed when it has.
	late *time.Timer
	told chan struct{}
}

// Sizes of the buffers that a connection keeps while it is idle: many do, and most
// of them have small requests.
const (
	firstBuffer = 4 << 10
	keptBuffer  = 32 << 10
)

// serve answers requests until the connection ends or goes back.
func (c *directConn) serve() {
	for {
		head, ok := c.readHead()
		if !ok {
			return
		}
		end := head.Size + int(head.ContentLength)
		if !c.readTo(end) {
			return
		}
		if c.have == end {
			c.seat.Run(c.buf[head.Size:end])
		}
		if !c.answer(&head, c.buf[head.Size:end]) {
			return
		}
		c.have = copy(c.buf, c.buf[end:c.have])
		if c.have == 0 {
			c.seat.Mark(handover.Idle)
		} else {
			c.seat.Mark(handover.Reading) // of the next request there is a part
		}
		if cap(c.buf) > keptBuffer && c.have <= firstBuffer {
			large := c.buf
			c.buf = append(make([]byte, 0, firstBuffer), c.buf[:c.have]...)
			putLarge(large)
		}
		if cap(c.out) > keptBuffer {
			putLarge(c.out)
			c.out = nil
		}
	}
}

// readHead reads the next request's head and decides whether it is answered here;
// if not, the connection is gone.
func (c *directConn) readHead() (h handover.Head, ok bool) {
	if c.have == 0 && !c.until(time.Now().Add(c.d.limits.Idle)) {
		return h, false
	}
	for {
		h, verdict := c.parse()
		switch {
		case verdict == handover.Partial:
			if !c.read(c.have + 1) {
				return h, false
			}
			continue
		case verdict == handover.Other || h.ContentLength > c.d.limits.Body:
			c.giveBack(handover.Refused)
			return h, false
		case !h.Like(&c.first) || !c.seat.Holds():
			c.giveBack(c.whyOther(&h))
			return h, false
		}
		return h, true
	}
}

// soon is how many requests have to be answered here for a connection's way here
// and back to have paid.
const soon = 8

// whyOther is the reason to give a connection back whose next request is not to be
// answered here.
func (c *directConn) whyOther(next *handover.Head) handover.Reason {
	if c.answered < soon && !next.Like(&c.first) {
		return handover.Strayed
	}
	return handover.Changed
}

// parse reads the head of what there is.
func (c *directConn) parse() (h handover.Head, v handover.Verdict) {
	if c.have == 0 {
		return h, handover.Partial
	}
	read := c.buf[:c.have]
	if len(c.lastText) > 0 && bytes.HasPrefix(read, c.lastText) {
		return c.last, handover.Plain
	}
	if h, v = handover.ParseHead(read); v != handover.Plain {
		return h, v
	}
	h = h.Clone()
	if c.first.Size == 0 {
		c.first = h
	}
	c.last, c.lastText = h, append(c.lastText[:0], read[:h.Size]...)
	return h, v
}

// readTo reads until there are n bytes.
func (c *directConn) readTo(n int) bool {
	// As with net/http a body may take its time, once its head is there.
	if c.have < n && !c.until(time.Time{}) {
		return false
	}
	for c.have < n {
		if !c.read(n) {
			return false
		}
	}
	return true
}

// until lets reads wait until t. It is false, and the connection gone, if the worker
// has been told to end.
func (c *directConn) until(t time.Time) bool {
	_ = c.seat.SetReadDeadline(t)
	// A stop after this look interrupts the read.
	if !c.d.stopped.Load() {
		return true
	}
	c.giveBack(handover.Changed)
	return false
}

// read reads once, with room for n bytes in all but never for much more than what
// has come: a request may say that it is large and not be.
func (c *directConn) read(n int) bool {
	if c.have == len(c.buf) || len(c.buf) < firstBuffer {
		c.grow(n)
	}
	c.buf = c.buf[:cap(c.buf)]
	got, err := c.seat.Read(c.buf[c.have:])
	c.have += got
	if err == nil {
		return true
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && c.d.stopped.Load() {
		c.giveBack(handover.Changed)
	} else {
		c.seat.Close()
	}
	return false
}

// grow makes the buffer larger, for n bytes in all.
func (c *directConn) grow(n int) {
	small := c.buf
	c.buf = nil
	if n > keptBuffer {
		c.buf = getLarge(n)
	}
	if c.buf == nil {
		c.buf = make([]byte, max(firstBuffer, min(n, 2*len(small))))
	}
	copy(c.buf, small[:c.have])
}

// maxGivenBack is the most bytes that a connection is given back with.
const maxGivenBack = handover.MaxHead

// giveBack returns the connection to the daemon with what has been read. Where that
// cannot be, its client is told to come again.
func (c *directConn) giveBack(why handover.Reason) {
	if c.have <= maxGivenBack && c.seat.GiveBack(c.buf[:c.have], why) == nil {
		return
	}
	if c.have > 0 {
		c.fail(ml.Errorf(ml.Unavailable, "The server is being restarted; try again."), true)
	}
	c.seat.Close()
}

// answer answers a request. It is false if the connection has ended with it.
func (c *directConn) answer(head *handover.Head, body []byte) bool {
	c.answered++
	now := time.Now()
	c.seat.Used(now)
	if cap(c.out) < handover.HeadRoom {
		c.out = make([]byte, handover.HeadRoom, firstBuffer)
	}
	c.startClock()
	a, err := c.handler.Predict(frame.Method(c.seat.Method), now.Add(c.d.limits.Timeout), body, c.out[:handover.HeadRoom])
	if !c.late.Stop() {
		<-c.told
		c.seat.Close()
		return false
	}
	if err != nil {
		return c.fail(err, false)
	}
	c.out = a.Body
	text := a.Body[handover.HeadRoom:]
	h := handover.Answer{Status: a.Status, ContentType: a.ContentType}
	c.headers = append(a.timing.appendHeader(append(c.headers[:0], "Server-Timing: "...)), "\r\n"...)
	whole := a.Body
	if head.AcceptsGzip {
		if packed, ok := rest.PackAnswer(text); ok {
			c.headers = append(c.headers, "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"...)
			whole = append(make([]byte, handover.HeadRoom, handover.HeadRoom+len(packed)), packed...)
		}
	}
	h.Headers = c.headers
	h.Length = len(whole) - handover.HeadRoom
	// The head goes right in front of the body, so that both leave in one write.
	var room [handover.HeadRoom]byte
	top := h.AppendHead(room[:0], now)
	start := handover.HeadRoom - len(top)
	copy(whole[start:], top)
	return c.write(whole[start:])
}

// startClock has the client told if its request is not answered in time: a run of the
// model may never return. Whoever stops the clock answers the client.
func (c *directConn) startClock() {
	if c.late == nil {
		c.late = time.AfterFunc(c.d.limits.Timeout, c.tellLate)
		return
	}
	c.late.Reset(c.d.limits.Timeout)
}

func (c *directConn) tellLate() {
	defer close(c.told)
	c.seat.Abandon(handover.AppendError(nil, frame.Method(c.seat.Method), handover.ErrLate(nil), true))
}

// fail answers with an error in the form of the API that was asked.
func (c *directConn) fail(err error, last bool) bool {
	return c.write(handover.AppendError(nil, frame.Method(c.seat.Method), err, last))
}

func (c *directConn) write(answer []byte) bool {
	if err := c.seat.WriteAnswer(answer); err != nil {
		c.seat.Close()
		return false
	}
	return true
}
