package serving

import (
	"context"
	"sync"
	"time"

	"hearth/ml"
	"hearth/serving/frame"
	"hearth/serving/handover"
)

// maxIdle is how many unused connections a pool keeps.
const maxIdle = 64

// pool is the way to a version's worker: connections, each with one request in
// flight, while there is a worker, and a sentence about why not while there is
// none.
type pool struct {
	version    string // its name
	max        int
	quarantine quarantine

	mu         sync.Mutex
	folder     string         // of the worker that answers, empty if none does
	link       *handover.Link // to that worker, nil if it takes no connections
	worker     int            // counts workers; a connection belongs to one
	pid        int
	how        string // it runs the model
	restarts   int
	reason     string // why none answers
	idle       []*conn
	inFlight   int
	used       time.Time     // when a request was last taken, zero if that is noted
	usedDirect time.Time     // the last of the worker's own that is noted
	drained    chan struct{} // not nil once nothing more is taken; closed when the last request is done
}

func newPool(limit int) *pool {
	return &pool{max: limit, reason: "The version is being loaded."}
}

// conn is a connection to a worker. After the exchange it belongs to whoever
// holds the answer, who calls giveBack once.
type conn struct {
	*frame.Conn
	pool     *pool
	worker   int
	broken   bool
	giveBack func()
}

// acquire counts a request in and gives it a connection. It never waits for
// others: RESOURCE_EXHAUSTED if too many are in flight, UNAVAILABLE if no
// worker answers.
func (p *pool) acquire(ctx context.Context, now time.Time) (*conn, error) {
	p.mu.Lock()
	switch {
	case p.drained != nil:
		p.mu.Unlock()
		return nil, ml.Errorf(ml.Unavailable, "The version is being deleted.")
	case p.folder == "":
		reason := p.reason
		p.mu.Unlock()
		return nil, ml.Errorf(ml.Unavailable, "%s", reason)
	case p.inFlight >= p.max:
		p.mu.Unlock()
		return nil, handover.ErrTooMany(p.max)
	}
	p.inFlight++
	p.used = now
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	folder, worker := p.folder, p.worker
	p.mu.Unlock()

	f, err := frame.Dial(ctx, folder)
	if err != nil {
		p.done()
		return nil, &ml.Error{Kind: ml.Unavailable, Message: "The version's worker does not answer; try again.", Err: err}
	}
	c := &conn{Conn: f, pool: p, worker: worker}
	c.giveBack = c.release
	return c, nil
}

// release ends a request. Its connection serves the next one, unless it is
// broken or its worker is not the one that answers now.
func (c *conn) release() {
	c.Release()
	p := c.pool
	p.mu.Lock()
	keep := !c.broken && p.folder != "" && c.worker == p.worker && len(p.idle) < maxIdle
	if keep {
		p.idle = append(p.idle, c)
	}
	p.doneLocked()
	p.mu.Unlock()
	if !keep {
		c.Close()
	}
}

// done counts a request out that has no connection.
func (p *pool) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doneLocked()
}

func (p *pool) doneLocked() {
	p.inFlight--
	if p.inFlight == 0 && p.drained != nil {
		close(p.drained)
	}
}

// up opens the pool: a worker answers, to which there is a connection.
func (p *pool) up(w *workerProcess) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.worker > 0 {
		p.restarts++
	}
	p.worker++
	p.folder, p.pid, p.how, p.reason, p.link = w.folder, w.pid, w.how, "", w.link
	c := &conn{Conn: w.conn, pool: p, worker: p.worker}
	c.giveBack = c.release
	p.idle = append(p.idle, c)
}

// down closes the pool: no worker answers, for the reason. Requests in flight
// find out by themselves, and so does the link to a worker that died, which has
// connections to take back.
func (p *pool) down(reason string) {
	p.mu.Lock()
	idle := p.idle
	p.folder, p.pid, p.how, p.reason, p.idle, p.link = "", 0, "", reason, nil, nil
	p.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

// drain takes no more requests and waits for those in flight.
func (p *pool) drain(ctx context.Context) {
	p.mu.Lock()
	if p.drained == nil {
		p.drained = make(chan struct{})
		if p.inFlight == 0 {
			close(p.drained)
		}
	}
	drained := p.drained
	p.mu.Unlock()
	select {
	case <-drained:
	case <-ctx.Done():
	}
}

// where gives the folder of the worker that answers, empty if none does, and how
// many connections it has been lent.
func (p *pool) where() (folder string, lent int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link != nil {
		lent = p.link.Lent()
	}
	return p.folder, lent
}

// status is what there is to tell of a pool.
func (p *pool) status() (s VersionStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s = VersionStatus{PID: p.pid, Session: p.how, Restarts: p.restarts, Message: p.reason}
	if p.link != nil {
		s.Lent = p.link.Lent()
	}
	return s
}

// hangUp ends the link to the worker, which goes on with the connections that it
// was lent.
func (p *pool) hangUp() {
	p.mu.Lock()
	link := p.link
	p.link = nil
	p.mu.Unlock()
	if link != nil {
		link.Close()
	}
}

// takeUsed gives when a request was last taken, if one was since it was asked
// last.
func (p *pool) takeUsed() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.used
	if p.link != nil {
		if direct := p.link.Used(); direct.After(at) && direct.After(p.usedDirect) {
			at, p.usedDirect = direct, direct
		}
	}
	p.used = time.Time{}
	return at, !at.IsZero()
}

// lender gives the link to the worker and its present epoch; nil if connections
// cannot be lent.
func (p *pool) lender() (*handover.Link, uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link == nil || p.drained != nil {
		return nil, 0
	}
	return p.link, p.link.Epoch()
}

// recall makes the connections that were lent come back.
func (p *pool) recall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link != nil {
		p.link.Recall()
	}
}
