package serving

import (
	"context"
	"slices"
	"time"

	"hearth/ml"
	"hearth/serving/frame"
	"hearth/serving/handover"
)

// maxIdle is how many unused connections to a worker are kept.
const maxIdle = 64

// member is a worker that answers: connections to it, each with one request in
// flight. The pool's mu guards it.
type member struct {
	pool    *pool
	replica int
	folder  string
	link    *handover.Link // nil if it takes no connections
	pid     int
	how     string // it runs the model
	memory  int64  // that it holds, in bytes

	began    time.Time
	idle     []*conn
	inFlight int
	gone     bool
}

// conn is a connection to a worker. After the exchange it belongs to whoever
// holds the answer, who calls giveBack once.
type conn struct {
	*frame.Conn
	member   *member
	broken   bool
	giveBack func()
}

func (m *member) newConn(f *frame.Conn) *conn {
	c := &conn{Conn: f, member: m}
	c.giveBack = c.release
	return c
}

// lent is how many connections of clients the worker has.
func (m *member) lent() int {
	if m.link == nil {
		return 0
	}
	return m.link.Lent()
}

// idleSince is when a request was last taken, or when the worker began to answer. The
// caller holds mu.
func (m *member) idleSince() time.Time { return later(m.began, m.pool.lastUse()) }

// take counts a request in and gives it an unused connection, nil if there is none.
// The caller holds mu.
func (m *member) take() *conn {
	m.inFlight++
	n := len(m.idle)
	if n == 0 {
		return nil
	}
	c := m.idle[n-1]
	m.idle = m.idle[:n-1]
	return c
}

// dial makes a connection for a request that was counted in; with an error it is
// counted out.
func (m *member) dial(ctx context.Context) (*conn, error) {
	f, err := frame.Dial(ctx, m.folder)
	if err == nil {
		return m.newConn(f), nil
	}
	m.pool.mu.Lock()
	m.inFlight--
	m.pool.doneLocked()
	m.pool.mu.Unlock()
	return nil, &ml.Error{Kind: ml.Unavailable, Message: "The version's worker does not answer; try again.", Err: err}
}

// release ends a request. Its connection serves the next one, unless it is
// broken or its worker does not answer any more.
func (c *conn) release() {
	c.Release()
	m := c.member
	m.pool.mu.Lock()
	keep := !c.broken && !m.gone && len(m.idle) < maxIdle
	if keep {
		m.idle = append(m.idle, c)
	}
	m.inFlight--
	m.pool.doneLocked()
	m.pool.mu.Unlock()
	if !keep {
		c.Close()
	}
}

// drop takes a member out, if it is in, and gives the connections to be closed. The
// caller holds mu.
func (p *pool) drop(m *member) []*conn {
	i := slices.Index(p.members, m)
	if i < 0 {
		return nil
	}
	p.members = slices.Delete(p.members, i, i+1)
	idle := m.idle
	m.idle, m.gone, m.link = nil, true, nil
	return idle
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.Close()
	}
}
