package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"

	"hearth/appliance/api/gcemetadata"
)

// Server is the listening front door.
type Server struct {
	o         Options
	behind    Handlers
	log       zerolog.Logger
	listener  *net.TCPListener
	hosts     hosts
	authority *authority
	metadata  http.Handler
	paths     map[string]target
	// ready holds connections that http takes over; ours are those that it does
	// not know: not yet told apart, or tunnels.
	ready *connQueue
	ours  *connSet
	http  *http.Server
	// grpc takes over the connections that speak HTTP/2.
	grpc      *grpc.Server
	grpcReady *connQueue
}

// Listen opens the port and prepares the CA. Nothing is answered before [Server.Mount]
// and [Server.Run].
func Listen(o Options) (*Server, error) {
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", o.Address, err)
	}
	s := &Server{o: o, log: o.Log, listener: l.(*net.TCPListener), ours: newConnSet(), metadata: gcemetadata.New(o.Project)}
	s.ready, s.grpcReady = newConnQueue(l.Addr()), newConnQueue(l.Addr())
	s.hosts = newHosts(o.Names, l.Addr())
	if s.authority, err = openAuthority(o.TLSDir, o.Names); err != nil {
		l.Close()
		return nil, err
	}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       withLink,
		ConnState:         noteState,
		ErrorLog:          stdlog.New(debugWriter{s.log}, "", 0),
		Protocols:         new(http.Protocols),
	}
	s.http.Protocols.SetHTTP1(true)
	return s, nil
}

// Mount puts the APIs behind the door. It must be called once, before Run.
func (s *Server) Mount(h Handlers) {
	s.behind = h
	s.paths = s.ownPaths()
	s.grpc = s.newGRPC(h.GRPC)
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// CABundle is the file with the installation's CA and the system's roots, for
// programs that are to trust both.
func (s *Server) CABundle() string { return s.authority.bundlePath() }

// Close gives the port back without having run. After Run it does nothing.
func (s *Server) Close() error {
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Run serves until ctx ends, then lets the requests under way finish for
// Options.Grace and cuts the rest off. It can be called once.
func (s *Server) Run(ctx context.Context) error {
	// Requests outlive ctx: they are cancelled only when their grace is over.
	base, cancel := context.WithCancel(s.log.WithContext(context.WithoutCancel(ctx)))
	defer cancel()
	s.http.BaseContext = func(net.Listener) context.Context { return base }
	served, accepted := make(chan error, 2), make(chan error, 1)
	go func() { served <- s.http.Serve(s.ready) }()
	go func() { served <- s.grpc.Serve(s.grpcReady) }()
	go func() { accepted <- s.accept(base) }()

	var err error
	select {
	case <-ctx.Done():
		s.listener.Close()
		err = <-accepted
	case err = <-accepted:
		s.listener.Close()
	}
	grace, done := context.WithTimeout(base, s.o.Grace)
	defer done()
	var calls sync.WaitGroup
	calls.Go(func() { s.endGRPC(grace) })
	if s.http.Shutdown(grace) != nil {
		s.log.Warn().Dur("grace", s.o.Grace).Msg("requests were cut off at the end of their grace")
		cancel()
		s.http.Close()
	}
	calls.Wait()
	<-served
	<-served
	s.ours.closeAll()
	return err
}

// accept takes connections until the listener is closed.
func (s *Server) accept(ctx context.Context) error {
	for {
		c, err := s.listener.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil && isTemporary(err):
			// Out of file descriptors, most likely: others must end first.
			s.log.Warn().Err(err).Msg("accept a connection")
			<-time.After(50 * time.Millisecond)
		case err != nil:
			return fmt.Errorf("accept a connection: %w", err)
		case s.ours.add(c):
			go s.welcome(ctx, c)
		}
	}
}

func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// welcome tells HTTP/1.1, HTTP/2 and TLS apart and hands the connection on.
func (s *Server) welcome(ctx context.Context, c *net.TCPConn) {
	defer s.ours.remove(c)
	first, err := firstByte(c)
	if err != nil {
		c.Close()
		return
	}
	switch {
	case first == tlsHandshake:
		s.welcomeTLS(ctx, c, &link{})
	case isGRPC(c, first):
		s.grpcReady.put(c)
	default:
		s.ready.put(&lendable{TCPConn: c, s: s})
	}
}

// welcomeTLS ends TLS on c and hands on what is inside, known as l.
func (s *Server) welcomeTLS(ctx context.Context, c net.Conn, l *link) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	records := &recordConn{Conn: c}
	t := tls.Server(records, s.authority.config())
	if err := t.HandshakeContext(ctx); err != nil {
		s.log.Debug().Err(err).Stringer("client", c.RemoteAddr()).Msg("TLS handshake")
		c.Close()
		return
	}
	if negotiated(t) {
		s.grpcReady.put(t)
		return
	}
	state := t.ConnectionState()
	l.tls = &state
	s.ready.put(&headConn{Conn: t, records: records, link: l})
}

// debugWriter takes net/http's own complaints: they are about clients.
type debugWriter struct{ log zerolog.Logger }

func (w debugWriter) Write(b []byte) (int, error) {
	w.log.Debug().Msg(string(b))
	return len(b), nil
}
