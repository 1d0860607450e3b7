package serving

import (
	"context"
	"sync"
	"time"

	"hearth/ml"
	"hearth/serving/handover"
)

// pool is the way to a version: the workers that answer, one for each of its
// replicas, and a sentence about why none does while there is none.
type pool struct {
	version    string // its name
	limits     limits
	quarantine quarantine
	// demand is not nil if the version is loaded on demand; it gets a token for whoever
	// asks for it while it is not. unload is asked to make room.
	demand chan struct{}
	unload chan chan<- bool
	gpus   bool // its workers have devices

	mu       sync.Mutex
	members  []*member
	seen     map[int]bool // replicas that have had a worker
	restarts int
	reason   string        // why none answers
	loadable bool          // none answers, but one will soon be loaded for those who ask
	changed  chan struct{} // closed and replaced when any of this changes
	inFlight int
	last     time.Time     // when a request was last taken
	noted    time.Time     // the last use that was given to be noted
	drained  chan struct{} // not nil once nothing more is taken; closed when the last request is done
}

func newPool(v *ml.Version, l limits) *pool {
	p := &pool{version: ml.LastSegment(v.Name), limits: l, gpus: v.AcceleratorConfig.Devices() > 0,
		reason: "The version is being loaded.", seen: map[int]bool{}, changed: make(chan struct{})}
	if v.OnDemand() {
		p.demand, p.unload = make(chan struct{}, 1), make(chan chan<- bool)
	}
	return p
}

// acquire counts a request in and gives it a connection to the worker that has the
// least to do. It waits for nobody, but, as long as patience, for a version that is
// loaded on demand: RESOURCE_EXHAUSTED if too many are in flight, UNAVAILABLE if no
// worker answers, DEADLINE_EXCEEDED.
func (p *pool) acquire(ctx context.Context, now time.Time, patience time.Duration) (*conn, error) {
	p.mu.Lock()
	switch {
	case p.drained != nil:
		p.mu.Unlock()
		return nil, errDeleted()
	case len(p.members) == 0 && !p.loadable:
		defer p.mu.Unlock()
		return nil, p.unavailable()
	case p.inFlight >= p.limits.inFlight:
		p.mu.Unlock()
		return nil, handover.ErrTooMany(p.limits.inFlight)
	}
	p.inFlight++
	p.last = now
	m := p.leastBusy()
	var c *conn
	if m != nil {
		c = m.take()
	}
	p.mu.Unlock()
	if m == nil {
		var err error
		if m, c, err = p.await(ctx, patience); err != nil {
			return nil, err
		}
	}
	if c != nil {
		return c, nil
	}
	return m.dial(ctx)
}

// await has the version loaded for a request that was counted in, and waits until a
// worker answers, which takes it; with an error it is counted out.
func (p *pool) await(ctx context.Context, patience time.Duration) (*member, *conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		p.mu.Lock()
		m, changed := p.leastBusy(), p.changed
		switch {
		case p.drained != nil:
			defer p.mu.Unlock()
			p.doneLocked()
			return nil, nil, errDeleted()
		case m != nil:
			defer p.mu.Unlock()
			return m, m.take(), nil
		case !p.loadable:
			defer p.mu.Unlock()
			p.doneLocked()
			return nil, nil, p.unavailable()
		}
		p.mu.Unlock()
		select {
		case p.demand <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			p.done()
			if ctx.Err() == context.DeadlineExceeded {
				return nil, nil, ml.Errorf(ml.DeadlineExceeded, "The version is loaded on demand, and was not in time; try again.")
			}
			return nil, nil, explainBroken(ctx, ctx.Err())
		}
	}
}

func errDeleted() error { return ml.Errorf(ml.Unavailable, "The version is being deleted.") }

// unavailable says why no worker answers. The caller holds mu.
func (p *pool) unavailable() error { return ml.Errorf(ml.Unavailable, "%s", p.reason) }

// leastBusy gives the member with the fewest requests, nil if there is none. The
// caller holds mu.
func (p *pool) leastBusy() *member {
	if len(p.members) == 1 {
		return p.members[0]
	}
	var best *member
	for _, m := range p.members {
		if best == nil || m.inFlight+m.lent() < best.inFlight+best.lent() {
			best = m
		}
	}
	return best
}

// done counts a request out.
func (p *pool) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doneLocked()
}

// doneLocked is done for a caller that holds mu.
func (p *pool) doneLocked() {
	p.inFlight--
	if p.inFlight == 0 && p.drained != nil {
		close(p.drained)
	}
}

// tell lets those who wait look again. The caller holds mu.
func (p *pool) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// up takes a worker in, which answers, for one of the version's replicas.
func (p *pool) up(replica int, w *workerProcess) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[replica] {
		p.restarts++
	}
	p.seen[replica] = true
	m := &member{pool: p, replica: replica, folder: w.folder, pid: w.pid, how: w.how, memory: w.memory, link: w.link, began: time.Now()}
	m.idle = append(m.idle, m.newConn(w.conn))
	p.members = append(p.members, m)
	p.loadable = false
	p.tell()
	return m
}

// down takes a worker out that has ended, and says why, should it have been the
// last. Requests in flight find out by themselves, and so does the link to it, which
// has connections to take back.
func (p *pool) down(m *member, reason string) {
	p.mu.Lock()
	idle := p.drop(m)
	p.reason, p.loadable = reason, false
	p.tell()
	p.mu.Unlock()
	closeAll(idle)
}

// say says why no worker answers, while none does, and that nobody need wait for one.
func (p *pool) say(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reason, p.loadable = reason, false
	p.tell()
}

// close takes all workers out.
func (p *pool) close(reason string) {
	p.mu.Lock()
	var idle []*conn
	for len(p.members) > 0 {
		idle = append(idle, p.drop(p.members[0])...)
	}
	p.reason, p.loadable = reason, false
	p.tell()
	p.mu.Unlock()
	closeAll(idle)
}

// drain takes no more requests and waits for those in flight.
func (p *pool) drain(ctx context.Context) {
	p.mu.Lock()
	if p.drained == nil {
		p.drained = make(chan struct{})
		p.tell()
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

// answers says whether a worker does.
func (p *pool) answers() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.members) > 0
}

// status is what there is to tell of a pool.
func (p *pool) status() (s VersionStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s = VersionStatus{Restarts: p.restarts}
	if len(p.members) == 0 {
		s.Message = p.reason
	}
	for i, m := range p.members {
		if i == 0 {
			s.PID = m.pid
		}
		s.PIDs = append(s.PIDs, m.pid)
		s.Session = m.how
		s.Lent += m.lent()
		s.Memory += m.memory
	}
	return s
}

// hangUp ends the links to the workers, which go on with the connections that they
// were lent.
func (p *pool) hangUp() {
	p.mu.Lock()
	var links []*handover.Link
	for _, m := range p.members {
		if m.link != nil {
			links = append(links, m.link)
			m.link = nil
		}
	}
	p.mu.Unlock()
	for _, l := range links {
		l.Close()
	}
}

// lastUse is when a request was last taken, by the daemon or by a worker; zero if none
// ever was. The caller holds mu.
func (p *pool) lastUse() time.Time {
	last := p.last
	for _, m := range p.members {
		if m.link != nil {
			last = later(last, m.link.Used())
		}
	}
	return last
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// takeUsed gives when a request was last taken, if one was since it was asked
// last.
func (p *pool) takeUsed() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.lastUse()
	if !at.After(p.noted) {
		return time.Time{}, false
	}
	p.noted = at
	return at, true
}

// lender gives the link to the worker that has the least to do and its present epoch;
// nil if connections cannot be lent.
func (p *pool) lender() (*handover.Link, uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.leastBusy()
	if m == nil || m.link == nil || p.drained != nil {
		return nil, 0
	}
	return m.link, m.link.Epoch()
}

// recall makes the connections that were lent come back.
func (p *pool) recall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		if m.link != nil {
			m.link.Recall()
		}
	}
}
