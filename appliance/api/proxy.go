package api

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"hearth/ml"
	"hearth/ml/rest"
)

const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// connect answers a CONNECT. What goes to Google's hosts, or to ourselves, is
// answered here; the owner is tunnelled to all others, a job to those of
// Options.JobHosts.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	p, ok := s.proxyCaller(r)
	if !ok {
		w.Header().Set("Proxy-Authenticate", `Basic realm="hearth"`)
		writeText(w, http.StatusProxyAuthRequired,
			`The proxy needs credentials in its URL: http://USER:SECRET@HOST:PORT. For a command of the owner, "hearth exec -- COMMAND" sets them.`)
		return
	}
	host, port := splitHost(r.Host)
	switch {
	case s.hosts.isProxied(host, port):
		s.answer(w, r, p)
	case p.Owner || matches(s.o.JobHosts, host):
		s.tunnel(w, r)
	default:
		s.refused(p, r.Host)
		rest.WriteError(w, r, ml.Errorf(ml.PermissionDenied, "Jobs may not reach %s; the hosts that they may reach are set in the configuration.", r.Host))
	}
}

// refused reports that a job asked for a host that it may not reach.
func (s *Server) refused(p ml.Principal, host string) {
	if p.IsJob() && s.o.Refused != nil {
		s.o.Refused(p, host)
	}
}

// answer makes the tunnel end here: what comes through it is served like any
// connection, but known to come from p.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, p ml.Principal) {
	c, err := takeOver(w)
	if err != nil {
		rest.WriteError(w, r, err)
		return
	}
	if !s.ours.add(c) {
		return
	}
	defer s.ours.remove(c)
	c.link.tunnel = p
	if _, err := io.WriteString(c.Conn, established); err != nil {
		c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(headTimeout))
	first, err := c.r.Peek(1)
	if err != nil {
		c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	if first[0] != tlsHandshake {
		s.ready.put(c)
		return
	}
	s.welcomeTLS(r.Context(), c, c.link)
}

// takeOver takes the connection of a CONNECT away from net/http.
func takeOver(w http.ResponseWriter) (*tunnelConn, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	// A client in a hurry has sent more than the head already.
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	c := &tunnelConn{Conn: conn, link: &link{}}
	c.r = bufio.NewReader(io.MultiReader(bytes.NewReader(early), conn))
	return c, nil
}

// tunnel carries bytes between the client and the host that it asked for.
func (s *Server) tunnel(w http.ResponseWriter, r *http.Request) {
	dialer := net.Dialer{Timeout: dialTimeout}
	far, err := dialer.DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		s.log.Debug().Err(err).Str("host", r.Host).Msg("dial for the proxy")
		writeText(w, http.StatusBadGateway, r.Host+" cannot be reached: "+err.Error())
		return
	}
	if !s.ours.add(far) {
		writeText(w, http.StatusServiceUnavailable, "the server is shutting down")
		return
	}
	defer s.ours.remove(far)
	near, err := takeOver(w)
	if err != nil {
		far.Close()
		rest.WriteError(w, r, err)
		return
	}
	if !s.ours.add(near) {
		far.Close()
		return
	}
	defer s.ours.remove(near)
	if _, err := io.WriteString(near.Conn, established); err == nil {
		exchange(r.Context(), near, far)
	}
	near.Close()
	far.Close()
}

// exchange copies both ways until both sides have ended. The end of one
// direction is passed on, so that protocols with half-closed connections work.
func exchange(ctx context.Context, near *tunnelConn, far net.Conn) {
	stop := context.AfterFunc(ctx, func() { near.Close(); far.Close() })
	defer stop()
	upward := make(chan struct{})
	go func() {
		defer close(upward)
		_, _ = io.Copy(far, near)
		closeWrite(far)
	}()
	_, _ = io.Copy(near.Conn, far)
	closeWrite(near.Conn)
	<-upward
}

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
