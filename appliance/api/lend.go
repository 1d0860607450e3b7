package api

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"hearth/serving/handover"
)

// Loan takes a connection with what was read of its next request, and answers that
// and those like it that follow. If it is false nothing has changed.
type Loan interface {
	Take(c *net.TCPConn, read []byte) bool
}

// lendable is a connection in the clear that net/http serves. Between two requests
// it may be lent to somebody who answers what comes next without us; net/http
// believes then that the client has gone.
type lendable struct {
	*net.TCPConn
	s *Server
	// ahead has been read of the connection and not by net/http yet.
	ahead []byte
	// stay is how many requests are answered here before it is lent again.
	stay int
	// between is true from the end of a request to the first bytes of the next one:
	// a head must not be found in the middle of another one.
	// net/http's goroutine for the connection sets and reads it.
	between  bool
	hijacked bool
	lent     atomic.Bool
}

// httpBuffer is the size of the buffer that net/http reads a connection with. A read
// of so much finds it empty: no part of a request is in there.
const httpBuffer = 4 << 10

// noteState is the http.Server's ConnState.
func noteState(c net.Conn, state http.ConnState) {
	if l, ok := c.(*lendable); ok {
		l.between = state == http.StateNew || state == http.StateIdle
		l.hijacked = state == http.StateHijacked
	}
}

// Read gives net/http what comes, or the end if the connection was lent.
func (c *lendable) Read(b []byte) (int, error) {
	if len(b) == 1 && !c.between && !c.hijacked {
		return c.watch()
	}
	read := c.ahead
	if len(read) == 0 {
		n, err := c.TCPConn.Read(b)
		if err != nil {
			return n, err
		}
		read = b[:n]
	}
	if c.lend(b, read) {
		return 0, io.EOF
	}
	c.between = false
	n := copy(b, read)
	c.ahead = c.ahead[min(n, len(c.ahead)):]
	return n, nil
}

// lend lends the connection if what was read of the next request, which net/http
// wanted in room, allows it.
func (c *lendable) lend(room, read []byte) bool {
	if !c.between || len(room) != httpBuffer {
		return false
	}
	if c.stay > 0 {
		c.stay--
		return false
	}
	loan := c.s.loan(read)
	if loan == nil {
		return false
	}
	c.lent.Store(true)
	if !loan.Take(c.TCPConn, read) {
		c.lent.Store(false)
		return false
	}
	return true
}

// watch waits for the client to go away while its request is answered. net/http does
// so by reading one byte, which could be the next request's: it stays in the
// socket, since the request may be lent.
func (c *lendable) watch() (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var end error
	err = raw.Read(func(fd uintptr) bool {
		var first [1]byte
		n, _, err := unix.Recvfrom(int(fd), first[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN), err == nil && n > 0:
			return false // it is called again when something changes
		case err == nil:
			end = io.EOF
		default:
			end = err
		}
		return true
	})
	if err == nil {
		err = end
	}
	return 0, err
}

// Close does nothing to a connection that was lent.
func (c *lendable) Close() error {
	if c.lent.Load() {
		return nil
	}
	return c.TCPConn.Close()
}

// loan decides whether a request may be answered without us: it is one that net/http
// would hand on, to somebody who lends.
func (s *Server) loan(read []byte) Loan {
	if s.behind.Lend == nil || s.log.Debug().Enabled() {
		return nil // the access log has every request
	}
	head, verdict := handover.ParseHead(read)
	if verdict != handover.Plain {
		return nil
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(read[:head.Size])))
	if err != nil {
		return nil
	}
	if host, _ := splitHost(r.Host); isGoogle(host) {
		return nil // whose path means something else
	}
	if _, err := s.admit(r, &link{}); err != nil {
		return nil
	}
	return s.behind.Lend(r)
}

// stays is how many requests a connection that came back is not lent for: the client
// that strays may do so for good, and may not.
var stays = map[handover.Reason]int{handover.Refused: 1, handover.Strayed: 64}

// Return takes a connection back that was lent, with what has been read of its next
// request.
func (s *Server) Return(c *net.TCPConn, read []byte, why handover.Reason) {
	if !s.ours.add(c) {
		return
	}
	go func() {
		defer s.ours.remove(c)
		s.ready.put(&lendable{TCPConn: c, s: s, ahead: read, stay: stays[why]})
	}()
}
