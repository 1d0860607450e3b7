package serving

import (
	"context"
	"errors"
	"io/fs"
	"net"

	"hearth/serving/frame"
	"hearth/serving/handover"
)

// Loan is the right to lend a connection to a version's worker, which then answers
// by itself the request that was asked about and those like it that follow.
type Loan struct {
	link   *handover.Link
	epoch  uint32
	method frame.Method
}

// Lend says whether connections can be lent to the worker of a version, the model's
// default one if it is empty.
func (m *Manager) Lend(project, model, version string, method frame.Method) (Loan, bool) {
	for {
		before := m.routes.Load()
		p := before.find(project, model, version)
		if p == nil {
			return Loan{}, false
		}
		if p.quarantine.holds() {
			return Loan{}, false // requests must be looked at
		}
		link, epoch := p.lender()
		// A change of the routes in between may have come before the epoch.
		if m.routes.Load() == before {
			return Loan{link, epoch, method}, link != nil
		}
	}
}

// Take lends the connection, with what was read of its next request. If it is true c
// must not be used any more.
func (l Loan) Take(c *net.TCPConn, read []byte) bool {
	return l.link.Lend(c, uint8(l.method), l.epoch, read) == nil
}

// link opens the way on which the worker in a folder is lent connections. Without
// one its requests come in frames: it was started by an earlier release, say.
func (r *replica) link(ctx context.Context, folder string) *handover.Link {
	if r.m.o.Returned == nil {
		return nil
	}
	l, err := handover.Dial(ctx, folder, handover.Options{Back: r.m.o.Returned, Died: r.pool.quarantine.suspect, Unanswered: unanswered})
	if err == nil {
		return l
	}
	if !errors.Is(err, fs.ErrNotExist) {
		r.log.Warn().Err(err).Msg("the worker is lent no connections")
	}
	return nil
}

func unanswered(method uint8, last bool) []byte {
	return handover.AppendError(nil, frame.Method(method), handover.ErrDied(nil), last)
}
