package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoregistry"

	"hearth/ml"
)

// said is a service that answers with what it was sent and by whom.
func said(handle func(ctx context.Context, in string) (string, error)) GRPC {
	call := func(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		var in mem.BufferSlice
		if err := decode(&in); err != nil {
			return nil, err
		}
		defer in.Free()
		return intercept(ctx, nil, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/test.Service/Say"}, func(ctx context.Context, _ any) (any, error) {
			out, err := handle(ctx, string(in.Materialize()))
			return mem.BufferSlice{mem.SliceBuffer(out)}, err
		})
	}
	return GRPC{
		Register: func(r grpc.ServiceRegistrar) {
			r.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Service", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: call}}}, "")
		},
		Descriptors: protoregistry.GlobalFiles, MaxMessage: 1000,
	}
}

func echoCaller(ctx context.Context, in string) (string, error) {
	switch in {
	case "panic":
		panic("unlucky")
	case "ours":
		return "", ml.Errorf(ml.FailedPrecondition, "no default version")
	case "secret":
		return "", errors.New("the disk's name")
	}
	return in + " from " + PrincipalFrom(ctx).String(), nil
}

func withGRPC(o *Options, h *Handlers) { h.GRPC = said(echoCaller) }

// client connects by gRPC, with TLS if config is given.
func (s *testServer) client(t *testing.T, config *tls.Config, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if config != nil {
		creds = credentials.NewTLS(config)
	}
	c, err := grpc.NewClient(s.addr, append(options, grpc.WithTransportCredentials(creds))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func sayTo(t *testing.T, c *grpc.ClientConn, in string, headers ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, headers...)
	var out mem.BufferSlice
	err := c.Invoke(ctx, "/test.Service/Say", mem.BufferSlice{mem.SliceBuffer(in)}, &out, grpc.ForceCodecV2(codec{encoding.GetCodecV2(proto.Name)}))
	defer out.Free()
	return string(out.Materialize()), err
}

func TestGRPC_Callers(t *testing.T) {
	s := startServer(t, withGRPC)
	const bearer = "authorization"
	for name, tc := range map[string]struct {
		options []grpc.DialOption
		headers []string
		code    codes.Code
		want    string
	}{
		"owner":        {nil, []string{bearer, "Bearer " + ownerToken}, codes.OK, "hi from user:owner"},
		"own name":     {[]grpc.DialOption{grpc.WithAuthority("hearth.lab:1")}, []string{bearer, "Bearer " + ownerToken}, codes.OK, "hi from user:owner"},
		"other name":   {[]grpc.DialOption{grpc.WithAuthority("evil.test")}, []string{bearer, "Bearer " + ownerToken}, codes.PermissionDenied, `"evil.test" is not a name`},
		"nobody":       {nil, nil, codes.Unauthenticated, "has no credentials"},
		"stranger":     {nil, []string{bearer, "Bearer x"}, codes.Unauthenticated, "not known here"},
		"other scheme": {nil, []string{bearer, "Basic " + ownerToken}, codes.Unauthenticated, "not known here"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sayTo(t, s.client(t, nil, tc.options...), "hi", tc.headers...)
			if status.Code(err) != tc.code || !strings.Contains(got+status.Convert(err).Message(), tc.want) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestGRPC_Errors(t *testing.T) {
	s := startServer(t, withGRPC)
	c := s.client(t, nil)
	for in, tc := range map[string]struct {
		code codes.Code
		want string
	}{
		"ours":                    {codes.FailedPrecondition, "no default version"},
		"secret":                  {codes.Internal, "Internal error encountered."},
		"panic":                   {codes.Internal, "Internal error encountered."},
		strings.Repeat("x", 1001): {codes.ResourceExhausted, "larger than max"},
		strings.Repeat("x", 1000): {codes.OK, ""},
	} {
		_, err := sayTo(t, c, in, "authorization", "Bearer "+ownerToken)
		if status.Code(err) != tc.code || !strings.Contains(status.Convert(err).Message(), tc.want) || strings.Contains(status.Convert(err).Message(), "disk") {
			t.Errorf("%.10s: %v", in, err)
		}
	}
	err := c.Invoke(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+ownerToken), "/test.Service/Other", &healthpb.HealthCheckRequest{}, &healthpb.HealthCheckResponse{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("a method that there is not: %v", err)
	}
}

// Clients that know HTTP/2 only get it, those that know both stay with HTTP/1.1.
func TestGRPC_TLS(t *testing.T) {
	s := startServer(t, withGRPC)
	http2 := s.tlsConfig(t, "localhost")
	http2.NextProtos = nil // gRPC adds its own
	if got, err := sayTo(t, s.client(t, http2), "hi", "authorization", "Bearer "+ownerToken); err != nil || got != "hi from user:owner" {
		t.Errorf("%q, %v", got, err)
	}
	for protocols, want := range map[string]string{"h2": "h2", "http/1.1": "http/1.1", "h2 http/1.1": "http/1.1", "": ""} {
		config := s.tlsConfig(t, "localhost")
		config.NextProtos = strings.Fields(protocols)
		c, err := tls.Dial("tcp", s.addr, config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := c.ConnectionState().NegotiatedProtocol; got != want {
			t.Errorf("of %q it takes %q, want %q", protocols, got, want)
		}
	}
}

// Anybody may ask for health, and only for that.
func TestGRPC_Health(t *testing.T) {
	ready := make(chan struct{})
	s := startServer(t, func(o *Options, h *Handlers) {
		withGRPC(o, h)
		h.Ready = func() error {
			select {
			case <-ready:
				return nil
			default:
				return errors.New("not yet")
			}
		}
	})
	client := healthpb.NewHealthClient(s.client(t, nil))
	check := func(service string) (healthpb.HealthCheckResponse_ServingStatus, codes.Code) {
		r, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		return r.GetStatus(), status.Code(err)
	}
	if got, code := check(""); code != codes.OK || got != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("before: %v %v", got, code)
	}
	close(ready)
	if got, code := check("test.Service"); code != codes.OK || got != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("a service: %v %v", got, code)
	}
	if _, code := check("other"); code != codes.NotFound {
		t.Errorf("another service: %v", code)
	}
	w, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err == nil {
		_, err = w.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("Watch: %v", err)
	}
}

// A beginning in pieces, and methods of HTTP/1.1 that begin alike.
func TestGRPC_Preface(t *testing.T) {
	s := startServer(t, withGRPC)
	c := s.dial(t)
	for _, piece := range []string{"P", "RI", " * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"} {
		if _, err := c.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	settings := make([]byte, 9)
	if _, err := c.Read(settings); err != nil || settings[3] != 4 {
		t.Errorf("not HTTP/2's settings: % x, %v", settings, err)
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "PROPFIND"} {
		if code, _, _ := roundTrip(t, s.dial(t), request(method, "/v1/projects/hearth/x", "localhost", asOwner, "Content-Length: 0")); code != 200 {
			t.Errorf("%s: %d", method, code)
		}
	}
}

// A call under way is answered though the server ends; one that takes longer than
// the grace is cut off.
func TestGRPC_End(t *testing.T) {
	for name, grace := range map[string]time.Duration{"answered": time.Minute, "cut off": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			entered, proceed := make(chan struct{}), make(chan struct{})
			s := startServer(t, func(o *Options, h *Handlers) {
				o.Grace = grace
				h.GRPC = said(func(ctx context.Context, in string) (string, error) {
					close(entered)
					select {
					case <-proceed:
						return "done", nil
					case <-ctx.Done():
						return "", ctx.Err()
					}
				})
			})
			answered := make(chan error, 1)
			c := s.client(t, nil)
			go func() {
				_, err := sayTo(t, c, "hi", "authorization", "Bearer "+ownerToken)
				answered <- err
			}()
			<-entered
			ended := make(chan error, 1)
			go func() { ended <- s.stop() }()
			if grace == time.Minute {
				awaitRefusal(t, s.addr)
				close(proceed)
			}
			if err := <-answered; (err == nil) != (grace == time.Minute) {
				t.Errorf("the call: %v", err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// awaitRefusal waits until nobody listens any more.
func awaitRefusal(t *testing.T, addr string) {
	t.Helper()
	for {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		c.Close()
	}
}
