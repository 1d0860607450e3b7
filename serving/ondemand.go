package serving

import (
	"context"
	"time"

	"hearth/serving/frame"
)

// A version whose autoScaling allows no node at all is loaded on demand: when nobody
// has asked for it for a while, or its memory or devices are needed, its worker ends,
// and the next request has another one started, and waits for it.

// resume says whether a worker that an earlier daemon started is there. If not, none
// is left.
func (r *replica) resume(ctx context.Context) bool {
	if r.number == 0 || !r.m.o.Executor.Started(r.process(r.number)) {
		return false
	}
	c, err := frame.Dial(ctx, r.m.o.Executor.Folder(r.process(r.number)))
	if err == nil {
		c.Close()
		return true
	}
	r.persist(ctx, r.stopWorker)
	return false
}

// rest waits until the version is asked for; false if ctx ended before.
func (r *replica) rest(ctx context.Context) bool {
	r.pool.sleep()
	r.settled()
	select {
	case <-r.pool.demand:
		return true
	case <-ctx.Done():
		return false
	}
}

// shortestLook is how often one looks at least whether a version is used.
const shortestLook = time.Second

// unused gives a word at the time when the member may not have been used for so long
// that it is to be unloaded; nil if it is to stay.
func (r *replica) unused(m *member) <-chan time.Time {
	if !r.version.OnDemand() {
		return nil
	}
	m.pool.mu.Lock()
	defer m.pool.mu.Unlock()
	return time.After(max(min(shortestLook, r.m.o.Idle), r.m.o.Idle-time.Since(m.idleSince())))
}

// unload ends the worker if nobody has used it for so long.
func (r *replica) unload(ctx context.Context, m *member, idle time.Duration) bool {
	if !r.pool.retire(m, idle) {
		return false
	}
	r.note(measured{memory: memoryOf(m.pid)})
	if err := r.stopWorker(ctx); err != nil {
		r.log.Warn().Err(err).Msg("worker not ended")
	}
	r.over = true
	if err := r.release(); err != nil {
		r.log.Warn().Err(err).Msg("devices not released")
	}
	r.pool.sleep()
	r.log.Info().Int("pid", m.pid).Msg("version is unloaded until it is asked for")
	return true
}

// sleep says that no worker answers, and that whoever asks will have one started.
func (p *pool) sleep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.demand: // of those who were answered
	default:
	}
	p.reason, p.loadable = "The version is unloaded until it is asked for.", true
	p.tell()
}

// retire takes a worker out that is not in use and has not been for so long.
func (p *pool) retire(m *member, idle time.Duration) bool {
	p.mu.Lock()
	if p.inFlight > 0 || time.Since(m.idleSince()) < idle {
		p.mu.Unlock()
		return false
	}
	conns := p.drop(m)
	delete(p.seen, m.replica)
	p.reason, p.loadable = "The version is being unloaded.", true
	p.mu.Unlock()
	closeAll(conns)
	return true
}

// unloadOldest unloads the version on demand that was used longest ago, among those
// that a condition holds for; false if none could be.
func (m *Manager) unloadOldest(ctx context.Context, among func(*pool) bool) bool {
	tried := map[*pool]bool{}
	for {
		p := m.oldest(func(p *pool) bool { return !tried[p] && among(p) })
		if p == nil {
			return false
		}
		tried[p] = true
		done := make(chan bool, 1)
		select {
		case p.unload <- done:
			if <-done {
				return true
			}
		case <-time.After(shortestLook): // its keeper has other things to do
		case <-ctx.Done():
			return false
		}
	}
}

// oldest gives the pool, of those on demand that are loaded and idle and that a
// condition holds for, that was used longest ago.
func (m *Manager) oldest(among func(*pool) bool) *pool {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found *pool
	var last time.Time
	for _, p := range m.pools {
		if p.demand == nil || !among(p) {
			continue
		}
		p.mu.Lock()
		idle, at := len(p.members) > 0 && p.inFlight == 0, p.lastUse()
		p.mu.Unlock()
		if idle && (found == nil || at.Before(last)) {
			found, last = p, at
		}
	}
	return found
}
