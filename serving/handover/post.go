package handover

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Post is where a worker is lent connections.
type Post struct {
	listener *net.UnixListener
	take     func(s *Seat, read []byte)
	lines    sync.WaitGroup
	newest   atomic.Pointer[line]
}

// line is the worker's end of the way to one daemon.
type line struct {
	ch   channel
	page *page
	// gone is true once that daemon is.
	gone atomic.Bool
}

// Listen makes the post of a worker in its process folder. take is called in a
// goroutine of its own for each connection, with what the daemon has read of it.
func Listen(dir string, take func(s *Seat, read []byte)) (*Post, error) {
	l, err := listen(dir)
	if err != nil {
		return nil, fmt.Errorf("listen for connections in %s: %w", dir, err)
	}
	return &Post{listener: l, take: take}, nil
}

// Serve takes connections from the daemon, and from those that follow it, until
// the post is closed.
func (p *Post) Serve() error {
	defer p.lines.Wait()
	for {
		c, err := p.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept a daemon: %w", err)
		}
		p.lines.Go(func() { p.serveLine(&line{ch: channel{conn: c}}) })
	}
}

// Close ends the taking of connections; those that have been taken can still be
// given back until Hangup.
func (p *Post) Close() { p.listener.Close() }

// Hangup ends the way to the daemon.
func (p *Post) Hangup() {
	if l := p.newest.Load(); l != nil {
		l.ch.conn.Close()
	}
}

// current is the line to the daemon that runs now, nil if there is none.
func (p *Post) current() *line {
	if l := p.newest.Load(); l != nil && !l.gone.Load() {
		return l
	}
	return nil
}

// serveLine takes what one daemon sends. The page stays mapped: seats may still
// use it.
func (p *Post) serveLine(l *line) {
	defer l.ch.conn.Close()
	m, _, fd, err := l.ch.receive()
	if err != nil || fd < 0 {
		return
	}
	if m.kind == hello && m.method == protocol {
		l.page, err = mapPage(fd)
	}
	unix.Close(fd)
	if err != nil || l.page == nil {
		return
	}
	if before := p.newest.Swap(l); before != nil {
		before.ch.conn.Close() // there is one daemon at a time
	}
	defer l.gone.Store(true)
	for {
		m, data, fd, err := l.ch.receive()
		if err != nil {
			return
		}
		if m.kind != lend || fd < 0 || m.slot >= maxSeats {
			if fd >= 0 {
				unix.Close(fd)
			}
			continue
		}
		conn, err := tcpOf(fd)
		if err != nil {
			_ = l.ch.send(message{kind: closed, slot: m.slot}, nil, -1)
			continue
		}
		s, err := newSeat(p, l, m, conn)
		if err != nil {
			conn.Close()
			continue
		}
		go p.take(s, append([]byte(nil), data...))
	}
}
