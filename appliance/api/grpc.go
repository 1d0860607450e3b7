package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress
	"google.golang.org/grpc/encoding/proto"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	oldreflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/reflect/protodesc"

	"hearth/ml"
	"hearth/ml/rest"
)

// GRPC is what the door's gRPC server is made of. Register puts services on it,
// whose messages may be a mem.BufferSlice, which is given on as it is; Descriptors
// describes their messages. MaxMessage is the most bytes of a request. Guests, if it is
// set, says which methods decide by themselves what somebody without credentials may do.
type GRPC struct {
	Register    func(grpc.ServiceRegistrar)
	Descriptors protodesc.Resolver
	MaxMessage  int
	Guests      func(method string) bool
}

// minPing is how often a client may ask whether the connection is alive.
const minPing = 5 * time.Second

// newGRPC makes the server of all connections that speak HTTP/2.
func (s *Server) newGRPC(g GRPC) *grpc.Server {
	r := grpc.NewServer(
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(proto.Name)}),
		grpc.InTapHandle(s.admitCall),
		grpc.UnaryInterceptor(s.answerCall),
		grpc.StreamInterceptor(s.answerStream),
		grpc.MaxRecvMsgSize(g.MaxMessage),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		// What a call uses is closed after Run.
		grpc.WaitForHandlers(true),
	)
	g.Register(r)
	healthpb.RegisterHealthServer(r, &health{ready: s.behind.Ready, services: r.GetServiceInfo})
	o := reflection.ServerOptions{Services: r, DescriptorResolver: g.Descriptors}
	reflectionpb.RegisterServerReflectionServer(r, reflection.NewServerV1(o))
	oldreflectionpb.RegisterServerReflectionServer(r, reflection.NewServer(o))
	return r
}

// endGRPC lets the calls under way finish until grace ends.
func (s *Server) endGRPC(grace context.Context) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.grpc.GracefulStop()
	}()
	select {
	case <-ended:
	case <-grace.Done():
		s.grpc.Stop()
		<-ended
	}
}

// isGRPC reports whether a connection in the clear, of which the first byte has
// come, begins as HTTP/2 does. It leaves the bytes in the socket.
func isGRPC(c *net.TCPConn, first byte) bool {
	const begin = "PRI " // no method of HTTP/1.1 is called so
	if first != begin[0] {
		return false
	}
	_ = c.SetReadDeadline(time.Now().Add(headTimeout))
	defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var b [len(begin)]byte
	var n int
	err = raw.Read(func(fd uintptr) bool {
		err := error(unix.EINTR)
		for errors.Is(err, unix.EINTR) {
			n, _, err = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		}
		// What has come may be too little to tell.
		return !errors.Is(err, unix.EAGAIN) && (n <= 0 || n == len(b) || string(b[:n]) != begin[:n])
	})
	return err == nil && n == len(b) && string(b[:]) == begin
}

// negotiated reports whether the client of a TLS connection has said that it will
// speak HTTP/2. Those that can do without are better served by HTTP/1.1: see
// [authority.config].
func negotiated(t *tls.Conn) bool { return t.ConnectionState().NegotiatedProtocol == protocolHTTP2 }

// admitCall decides whether the caller may have a call, before any of its message
// is read. The rules are those of [Server.admit]; whoever is in a tunnel needs a
// token too.
func (s *Server) admitCall(ctx context.Context, call *tap.Info) (context.Context, error) {
	host, _ := splitHost(firstOf(call.Header[":authority"]))
	if !s.hosts.isOwn(host) && !isGoogle(host) {
		return ctx, grpcError(errNotOurName(host))
	}
	var p ml.Principal
	known := false
	header := firstOf(call.Header["authorization"])
	if token, ok := cutScheme(header, "Bearer"); ok {
		p, known = s.o.Auth.Bearer(token)
	}
	switch {
	case call.FullMethodName == healthpb.Health_Check_FullMethodName:
	case !known && header == "" && s.behind.GRPC.Guests != nil && s.behind.GRPC.Guests(call.FullMethodName):
	case !known:
		return ctx, grpcError(errUnauthenticated(header != ""))
	case !p.Owner:
		return ctx, grpcError(errOnlyBucket(p))
	}
	return context.WithValue(ctx, linkKey{}, &link{principal: p}), nil
}

func firstOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// answerCall is around every call with one answer.
func (s *Server) answerCall(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer func(began time.Time) { err = s.endCall(ctx, info.FullMethod, began, recover(), err) }(time.Now())
	return handle(ctx, request)
}

// answerStream is around every other call.
func (s *Server) answerStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer func(began time.Time) {
		err = s.endCall(stream.Context(), info.FullMethod, began, recover(), err)
	}(time.Now())
	return handle(srv, stream)
}

// endCall writes the logs and gives the error that the caller sees. One call's
// panic is no other's concern, as with net/http.
func (s *Server) endCall(ctx context.Context, method string, began time.Time, panicked any, err error) error {
	if panicked != nil {
		s.log.Error().Any("panic", panicked).Bytes("stack", debug.Stack()).Str("method", method).Msg("call panicked")
		err = ml.Errorf(ml.Internal, "Internal error encountered.")
	} else if err != nil && ml.KindOf(err) == ml.Internal {
		if _, ok := status.FromError(err); !ok {
			s.log.Error().Err(err).Str("method", method).Msg("call ended with an internal error")
		}
	}
	err = grpcError(err)
	if e := s.log.Debug(); e.Enabled() {
		e.Str("method", method).Stringer("principal", PrincipalFrom(ctx)).Stringer("status", status.Code(err)).
			Dur("took", time.Since(began)).Msg("call")
	}
	return err
}

// grpcError is err in gRPC's form. Our kinds are its codes.
func grpcError(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	e := rest.Visible(err)
	return status.Error(codes.Code(e.Kind), e.Message)
}

// codec gives encoded messages on and leaves the others to gRPC's own.
type codec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if encoded, ok := v.(mem.BufferSlice); ok {
		return encoded, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if encoded, ok := v.(*mem.BufferSlice); ok {
		data.Ref()
		*encoded = data
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}
