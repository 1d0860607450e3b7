package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// tlsHandshake is the first byte of every TLS connection; no HTTP method
// begins with it.
const tlsHandshake = 0x16

// link is what is known of a connection that net/http serves.
type link struct {
	// tls is nil on a connection in the clear.
	tls *tls.ConnectionState
	// tunnel is who opened the tunnel that the connection came through.
	tunnel ml.Principal
	// principal is who makes the present request. HTTP/1.1 serves one request
	// of a connection at a time, so it needs no lock.
	principal ml.Principal
}

type linkKey struct{}

// withLink is the http.Server's ConnContext: one context per connection, so
// that a request pays nothing for it.
func withLink(ctx context.Context, c net.Conn) context.Context {
	l := &link{}
	if known, ok := c.(interface{ known() *link }); ok {
		l = known.known()
	}
	return context.WithValue(ctx, linkKey{}, l)
}

// PrincipalFrom tells who makes the request of this context: nobody for
// requests that need no credentials. It is valid until the handler returns.
func PrincipalFrom(ctx context.Context) ml.Principal {
	if l, ok := ctx.Value(linkKey{}).(*link); ok {
		return l.principal
	}
	return ml.Principal{}
}

// firstByte waits for the first byte that the client sends and leaves it in
// the socket.
func firstByte(c *net.TCPConn) (byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(headTimeout)); err != nil {
		return 0, err
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var first [1]byte
	var n int
	var peekErr error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, _, peekErr = unix.Recvfrom(int(fd), first[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
			if !errors.Is(peekErr, unix.EINTR) {
				return !errors.Is(peekErr, unix.EAGAIN)
			}
		}
	})
	if err = errors.Join(err, peekErr); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	return first[0], c.SetReadDeadline(time.Time{})
}

// tunnelConn is the inside of a CONNECT tunnel: the connection, with what had
// been read of it already.
type tunnelConn struct {
	net.Conn
	r    *bufio.Reader
	link *link
}

func (c *tunnelConn) Read(b []byte) (int, error) { return c.r.Read(b) }
func (c *tunnelConn) known() *link               { return c.link }

// connQueue is the net.Listener from which the http.Server takes connections.
type connQueue struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func newConnQueue(addr net.Addr) *connQueue {
	return &connQueue{conns: make(chan net.Conn), closed: make(chan struct{}), addr: addr}
}

// put hands c to the http.Server, or closes it if that has ended.
func (q *connQueue) put(c net.Conn) {
	select {
	case q.conns <- c:
	case <-q.closed:
		c.Close()
	}
}

// Accept gives the next connection.
func (q *connQueue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (q *connQueue) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

// Addr is the address of the port.
func (q *connQueue) Addr() net.Addr { return q.addr }

// connSet holds connections so that they can be closed together.
type connSet struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	inUse  sync.WaitGroup
}

func newConnSet() *connSet { return &connSet{conns: map[net.Conn]struct{}{}} }

// add takes c in. It closes it and reports false if the set is closed.
func (s *connSet) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.Close()
		return false
	}
	s.conns[c] = struct{}{}
	s.inUse.Add(1)
	return true
}

// remove lets go of c, which was added.
func (s *connSet) remove(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.inUse.Done()
}

// closeAll closes every connection and waits until all have been removed.
func (s *connSet) closeAll() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.inUse.Wait()
}
