package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"hearth/appliance/api/gcemetadata"
	"hearth/ml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ownerToken = "owner-token-0123456789abcdef"
	jobSecret  = "job-secret-0123456789abcdef"
)

var testJob = ml.Principal{Project: "hearth", Job: "j1"}

// testAuth knows the owner and one job.
type testAuth struct{}

func (testAuth) Bearer(token string) (ml.Principal, bool) {
	h := HashSecret(ownerToken)
	return ml.Principal{Owner: true}, h.Is(token)
}

func (testAuth) Basic(user, secret string) (ml.Principal, bool) {
	switch {
	case user == "owner" && secret == ownerToken:
		return ml.Principal{Owner: true}, true
	case user == "hearth.j1" && secret == jobSecret:
		return testJob, true
	}
	return ml.Principal{}, false
}

// say answers with the handler's name and what it sees of the request.
func say(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s tls=%v as %s %s", name, r.URL.Path, r.TLS != nil, PrincipalFrom(r.Context()), body)
	})
}

type testServer struct {
	*Server
	addr    string
	mu      sync.Mutex
	refused []string
	stop    func() error
}

func (s *testServer) isRefused(p ml.Principal, host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, p.Job+" "+host)
}

func startServer(t testing.TB, change func(*Options, *Handlers)) *testServer {
	t.Helper()
	ts := &testServer{}
	o := Options{
		Address: "127.0.0.1:0", Names: []string{"hearth.lab"}, TLSDir: filepath.Join(t.TempDir(), "tls"), Project: "hearth",
		Auth: testAuth{}, Refused: ts.isRefused, JobHosts: []string{"*.allowed.test"}, Log: zerolog.Nop(),
	}
	h := Handlers{
		ML: say("ml"), TFServing: say("tfserving"), Logging: say("logging"), Storage: say("storage"), Hearth: say("hearth"),
		BucketExists: func(b string) bool { return b == "bucket1" },
		Ready:        func() error { return errors.New("jobs are being re-attached") },
		GRPC:         said(echoCaller),
	}
	if change != nil {
		change(&o, &h)
	}
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Mount(h)
	ts.Server, ts.addr = s, s.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	ts.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := ts.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return ts
}

// roundTrip sends raw bytes and reads one answer.
func roundTrip(t *testing.T, c net.Conn, request string) (int, string, http.Header) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("read the answer to %q: %v", request, err)
	}
	if method == "CONNECT" && resp.StatusCode == 200 {
		return 200, "", resp.Header
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Close {
		// ReadResponse takes the header out.
		resp.Header.Set("Connection", "close")
	}
	return resp.StatusCode, string(body), resp.Header
}

func (s *testServer) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func (s *testServer) tlsConfig(t *testing.T, name string) *tls.Config {
	t.Helper()
	bundle, err := os.ReadFile(s.CABundle())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		t.Fatal("no certificates in the bundle")
	}
	return &tls.Config{RootCAs: pool, ServerName: name, NextProtos: []string{"h2", "http/1.1"}}
}

// request makes the bytes of a request; headers are "Name: value" lines.
func request(method, target, host string, headers ...string) string {
	s := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n"
	for _, h := range headers {
		s += h + "\r\n"
	}
	return s + "\r\n"
}

const (
	asOwner     = "Authorization: Bearer " + ownerToken
	asNobody    = "Authorization: Bearer " + gcemetadata.Token
	asStranger  = "Authorization: Bearer something-else"
	askMetadata = "Metadata-Flavor: Google"
)

func proxyAuth(user, secret string) string {
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret))
}

func TestServer_Routes(t *testing.T) {
	s := startServer(t, nil)
	own := s.addr
	tests := []struct {
		name, method, target, host string
		headers                    []string
		status                     int
		want                       string
	}{
		{"Healthz", "GET", "/healthz", own, nil, 200, "ok"},
		{"Readyz", "GET", "/readyz", own, nil, 503, "not ready: jobs are being re-attached"},
		{"ML", "POST", "/v1/projects/hearth/models/m:predict", own, []string{asOwner}, 200, "ml /v1/projects/hearth/models/m:predict tls=false as user:owner"},
		{"LowerCaseScheme", "GET", "/v1/x", own, []string{"authorization: bearer " + ownerToken}, 200, "ml"},
		{"Localhost", "GET", "/v1/x", "localhost:1", []string{asOwner}, 200, "ml"},
		{"IPv6Host", "GET", "/v1/x", "[::1]:8080", []string{asOwner}, 200, "ml"},
		{"ConfiguredName", "GET", "/v1/x", "Hearth.Lab.", []string{asOwner}, 200, "ml"},
		{"Logging", "POST", "/v2/entries:list", own, []string{asOwner}, 200, "logging"},
		{"Hearth", "GET", "/hearth/v1/status", own, []string{asOwner}, 200, "hearth"},
		{"Storage", "GET", "/storage/v1/b", own, []string{asOwner}, 200, "storage"},
		{"Upload", "POST", "/upload/storage/v1/b/x/o", own, []string{asOwner}, 200, "storage"},
		{"XMLByBucket", "GET", "/bucket1/a/b", own, []string{asOwner}, 200, "storage /bucket1/a/b"},
		{"NoBucket", "GET", "/bucket2/a", own, []string{asOwner}, 404, "Nothing is at /bucket2/a"},
		{"XMLByHost", "GET", "/bucket2/a", "storage.googleapis.com", []string{asOwner}, 200, "storage /bucket2/a"},
		{"RegionalML", "GET", "/v1/x", "us-central1-ml.googleapis.com", []string{asOwner}, 200, "ml"},
		{"LoggingHost", "POST", "/v2/entries:list", "logging.googleapis.com", []string{asOwner}, 200, "logging"},
		{"WWW", "GET", "/storage/v1/b/x", "www.googleapis.com", []string{asOwner}, 200, "storage"},
		{"WWWOther", "GET", "/oauth2/v1/certs", "www.googleapis.com", []string{asOwner}, 404, "NOT_FOUND"},
		{"WWWNotML", "GET", "/v1/x", "www.googleapis.com", []string{asOwner}, 404, "NOT_FOUND"},
		{"TFServing", "POST", "/V1/models/m:predict", own, []string{asOwner}, 200, "tfserving /V1/models/m:predict tls=false as user:owner"},
		{"TFServingOfNobody", "POST", "/v1/models/m:predict", own, nil, 401, "UNAUTHENTICATED"},
		{"OtherGoogle", "GET", "/v1/projects/-/x", "iamcredentials.googleapis.com", []string{asOwner}, 404, "NOT_FOUND"},
		{"Accounts", "POST", "/o/oauth2/token", "accounts.google.com", nil, 404, "NOT_FOUND"},
		{"Root", "GET", "/", own, []string{asOwner}, 404, "NOT_FOUND"},
		{"Metadata", "GET", "/computeMetadata/v1/project/project-id", own, []string{askMetadata}, 200, "hearth"},
		{"MetadataRoot", "GET", "/", own, []string{askMetadata}, 200, "computeMetadata/"},
		{"MetadataHost", "GET", "/computeMetadata/v1/project/project-id", "metadata.google.internal", []string{askMetadata}, 200, "hearth"},
		{"MetadataLinkLocal", "GET", "/computeMetadata/v1/project/project-id", "169.254.169.254", []string{askMetadata}, 200, "hearth"},
		{"MetadataAbsolute", "GET", "http://metadata.google.internal/computeMetadata/v1/project/project-id", "metadata.google.internal", []string{askMetadata}, 200, "hearth"},
		{"AbsoluteAsJob", "GET", "http://storage.googleapis.com/bucket1/a", "storage.googleapis.com", []string{proxyAuth("hearth.j1", jobSecret)}, 200, "as serviceAccount:job-j1"},

		{"NoToken", "GET", "/v1/x", own, nil, 401, "The request has no credentials."},
		{"NoTokenNoBucket", "GET", "/bucket2/a", own, nil, 401, "UNAUTHENTICATED"},
		{"NoTokenStorage", "GET", "/storage/v1/b", own, nil, 401, "hearth token"},
		{"WrongToken", "GET", "/v1/x", own, []string{asStranger}, 401, "The credentials of the request are not known here."},
		{"MetadataToken", "GET", "/v1/x", own, []string{asNobody}, 401, "UNAUTHENTICATED"},
		{"BasicIsNoToken", "GET", "/v1/x", own, []string{"Authorization: Basic " + ownerToken}, 401, "UNAUTHENTICATED"},
		{"ProxyCredentialsOutsideProxy", "GET", "/v1/x", own, []string{proxyAuth("owner", ownerToken)}, 401, "UNAUTHENTICATED"},
		{"Session", "PUT", "/upload/storage/v1/b/x/o?upload_id=u1", own, []string{"Content-Length: 0"}, 200, "storage /upload/storage/v1/b/x/o tls=false as allUsers"},
		{"SessionMetadataToken", "PUT", "/upload/storage/v1/b/x/o?upload_id=u1", own, []string{asNobody, "Content-Length: 0"}, 200, "as allUsers"},
		{"SessionEmpty", "PUT", "/upload/storage/v1/b/x/o?upload_id=", own, []string{"Content-Length: 0"}, 401, "UNAUTHENTICATED"},
		{"SessionOfBucket", "GET", "/upload/secret?upload_id=u1", own, nil, 401, "UNAUTHENTICATED"},
		{"SessionElsewhere", "PUT", "/v1/x?upload_id=u1", own, []string{"Content-Length: 0"}, 401, "UNAUTHENTICATED"},
		{"ForeignHost", "GET", "/healthz", "evil.test", []string{asOwner}, 403, "not a name of this server"},
		{"ForeignAbsolute", "GET", "http://evil.test/x", "evil.test", []string{asOwner}, 403, "by CONNECT only"},
		{"GoogleLookalike", "GET", "/v1/x", "evilgoogleapis.com", []string{asOwner}, 403, "PERMISSION_DENIED"},
		{"ForeignOrigin", "GET", "/v1/x", own, []string{asOwner, "Origin: http://evil.test"}, 403, `page from \"http://evil.test\"`},
		{"OtherPortOrigin", "GET", "/v1/x", own, []string{asOwner, "Origin: http://127.0.0.1:1"}, 403, "PERMISSION_DENIED"},
		{"NullOrigin", "GET", "/v1/x", own, []string{asOwner, "Origin: null"}, 403, "PERMISSION_DENIED"},
		{"SameOrigin", "GET", "/v1/x", own, []string{asOwner, "Origin: http://" + own}, 200, "ml"},
		{"MetadataForeignOrigin", "GET", "/computeMetadata/v1/project/project-id", own, []string{askMetadata, "Origin: http://evil.test"}, 403, "PERMISSION_DENIED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body, header := roundTrip(t, s.dial(t), request(tt.method, tt.target, tt.host, tt.headers...))
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%d %s\nwant %d with %q", status, body, tt.status, tt.want)
			}
			if (status == 401) != (header.Get("WWW-Authenticate") != "") {
				t.Errorf("%d with WWW-Authenticate %q", status, header.Get("WWW-Authenticate"))
			}
		})
	}
	if strings.Join(s.refused, ",") != "" {
		t.Errorf("refused to jobs: %q", s.refused)
	}
}

func TestServer_KeepAlive_ForgetsPrincipal(t *testing.T) {
	c := startServer(t, nil).dial(t)
	if _, body, _ := roundTrip(t, c, request("GET", "/v1/x", "localhost", asOwner)); !strings.Contains(body, "as user:owner") {
		t.Error(body)
	}
	if status, _, _ := roundTrip(t, c, request("GET", "/v1/x", "localhost")); status != 401 {
		t.Errorf("without a token on the same connection: %d", status)
	}
	if _, body, _ := roundTrip(t, c, request("PUT", "/upload/storage/v1/b/x/o?upload_id=u", "localhost", "Content-Length: 0")); !strings.Contains(body, "as allUsers") {
		t.Error(body)
	}
}

func TestServer_PlainConnSendsFiles(t *testing.T) {
	s := startServer(t, func(_ *Options, h *Handlers) {
		h.Storage = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, sendfile := c.(io.ReaderFrom)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsendfile %v", sendfile)
		})
	})
	if _, body, _ := roundTrip(t, s.dial(t), request("GET", "/storage/v1/b", "localhost", asOwner)); body != "sendfile true" {
		t.Errorf("what net/http has of a connection: %s", body)
	}
}

func TestServer_TLS(t *testing.T) {
	s := startServer(t, nil)
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "hearth.lab", "www.googleapis.com", "us-central1-ml.googleapis.com", "metadata.google.internal", "accounts.google.com"} {
		c := tls.Client(s.dial(t), s.tlsConfig(t, name))
		if err := c.Handshake(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p := c.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
			t.Errorf("%s: negotiated %q", name, p)
		}
	}
	c := tls.Client(s.dial(t), s.tlsConfig(t, "localhost"))
	for range 2 {
		status, body, header := roundTrip(t, c, request("GET", "/v1/x", "localhost", asOwner))
		if status != 200 || !strings.Contains(body, "ml /v1/x tls=true as user:owner") || header.Get("Connection") != "" {
			t.Errorf("%d %s %v", status, body, header)
		}
	}
	if err := tls.Client(s.dial(t), &tls.Config{ServerName: "localhost", RootCAs: x509.NewCertPool()}).Handshake(); err == nil {
		t.Error("a client without our CA trusts us")
	}
}

func TestServer_TLS_IdentityEncoding(t *testing.T) {
	s := startServer(t, nil)
	const body = `{"name":"x\r\nTransfer-Encoding: identity\r\n"}`
	for _, h := range []string{"Transfer-Encoding: identity", "transfer-encoding:identity "} {
		c := tls.Client(s.dial(t), s.tlsConfig(t, "localhost"))
		status, got, header := roundTrip(t, c, request("POST", "/upload/storage/v1/b/x/o", "www.googleapis.com",
			h, "User-Agent: TSL", asOwner, fmt.Sprintf("Content-Length: %d", len(body)))+body)
		if status != 200 || !strings.Contains(got, body) {
			t.Errorf("%q: %d %s", h, status, got)
		}
		if header.Get("Connection") != "close" {
			t.Errorf("Connection: %q for TensorFlow's client", header.Get("Connection"))
		}
	}
	// Other encodings stay net/http's business.
	c := tls.Client(s.dial(t), s.tlsConfig(t, "localhost"))
	if status, _, _ := roundTrip(t, c, request("POST", "/upload/x", "localhost", "Transfer-Encoding: gzip", asOwner)); status != 501 {
		t.Errorf("gzip: %d", status)
	}
}

func TestServer_TLS_HeadInPieces(t *testing.T) {
	s := startServer(t, nil)
	c := tls.Client(s.dial(t), s.tlsConfig(t, "localhost"))
	whole := request("POST", "/upload/x", "localhost", "Transfer-Encoding: identity", "X-Long: "+strings.Repeat("x", 20000), asOwner, "Content-Length: 2")
	for _, piece := range []string{whole[:30], whole[30 : len(whole)-2], whole[len(whole)-2:]} {
		if _, err := io.WriteString(c, piece); err != nil {
			t.Fatal(err)
		}
	}
	if status, body, _ := roundTrip(t, c, "ab"); status != 200 || !strings.Contains(body, "ab") {
		t.Errorf("%d %s", status, body)
	}
}

// A Google host through the proxy, with Go's own client: TLS in CONNECT.
func TestServer_Proxy_Client(t *testing.T) {
	s := startServer(t, nil)
	get := func(user *url.Userinfo, target string, header http.Header) (int, string, error) {
		proxy := &url.URL{Scheme: "http", Host: s.addr, User: user}
		tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: s.tlsConfig(t, "")}
		defer tr.CloseIdleConnections()
		req, _ := http.NewRequest("GET", target, nil)
		maps.Copy(req.Header, header)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), err
	}
	job, me := url.UserPassword("hearth.j1", jobSecret), url.UserPassword("owner", ownerToken)
	worthless := http.Header{"Authorization": {"Bearer " + gcemetadata.Token}}
	tests := []struct {
		name   string
		user   *url.Userinfo
		target string
		header http.Header
		status int
		want   string
	}{
		{"JobStorage", job, "https://storage.googleapis.com/bucket1/a", nil, 200, "storage /bucket1/a tls=true as serviceAccount:job-j1"},
		{"JobStorageMetadataToken", job, "https://www.googleapis.com/storage/v1/b/x", worthless, 200, "as serviceAccount:job-j1"},
		{"JobUnknownToken", job, "https://www.googleapis.com/storage/v1/b/x", http.Header{"Authorization": {"Bearer x"}}, 200, "as serviceAccount:job-j1"},
		{"JobWithOwnersToken", job, "https://ml.googleapis.com/v1/x", http.Header{"Authorization": {"Bearer " + ownerToken}}, 200, "as user:owner"},
		{"JobML", job, "https://ml.googleapis.com/v1/x", worthless, 403, "may use the bucket of its project, and the models"},
		{"JobLogging", job, "https://logging.googleapis.com/v2/entries:list", worthless, 403, "PERMISSION_DENIED"},
		{"JobHearth", job, "https://" + s.addr + "/hearth/v1/status", nil, 403, "PERMISSION_DENIED"},
		{"JobOAuth", job, "https://oauth2.googleapis.com/token", nil, 404, "NOT_FOUND"},
		{"OwnerML", me, "https://us-east1-ml.googleapis.com/v1/x", worthless, 200, "ml /v1/x tls=true as user:owner"},
		{"OwnerOurselves", me, "https://" + s.addr + "/v1/x", nil, 200, "ml /v1/x tls=true as user:owner"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body, err := get(tt.user, tt.target, tt.header)
			if err != nil || status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%d %s %v\nwant %d with %q", status, body, err, tt.status, tt.want)
			}
		})
	}
	for name, user := range map[string]*url.Userinfo{"Anonymous": nil, "WrongSecret": url.UserPassword("hearth.j1", "x")} {
		if _, _, err := get(user, "https://storage.googleapis.com/bucket1/a", nil); err == nil || !strings.Contains(err.Error(), "Proxy Authentication Required") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServer_Proxy_Raw(t *testing.T) {
	s := startServer(t, nil)
	// HTTP/1.0 without a Host header, as Python's requests does.
	c := s.dial(t)
	if status, _, _ := roundTrip(t, c, "CONNECT storage.googleapis.com:443 HTTP/1.0\r\n"+proxyAuth("hearth.j1", jobSecret)+"\r\n\r\n"); status != 200 {
		t.Fatal(status)
	}
	inside := tls.Client(c, s.tlsConfig(t, "storage.googleapis.com"))
	if status, body, _ := roundTrip(t, inside, request("GET", "/bucket1/a", "storage.googleapis.com")); status != 200 || !strings.Contains(body, "tls=true") {
		t.Errorf("%d %s", status, body)
	}
	// Plain HTTP inside the tunnel, sent before the proxy has answered.
	c = s.dial(t)
	early := request("GET", "/bucket1/early", "storage.googleapis.com")
	if _, err := io.WriteString(c, request("CONNECT", "storage.googleapis.com:80", "storage.googleapis.com:80", proxyAuth("hearth.j1", jobSecret))+early); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(c)
	if line, err := br.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q %v", line, err)
	}
	if _, err := br.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if !strings.Contains(string(body), "storage /bucket1/early tls=false as serviceAccount:job-j1") {
		t.Errorf("%s", body)
	}
}

func TestServer_Proxy_Policy(t *testing.T) {
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	go func() {
		for {
			c, err := far.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			c.Close()
		}
	}()
	s := startServer(t, func(o *Options, _ *Handlers) { o.JobHosts = []string{"127.0.0.1", "*.allowed.test"} })
	strict := startServer(t, nil)
	connect := func(s *testServer, target string, header string) (net.Conn, int, string) {
		c := s.dial(t)
		status, body, _ := roundTrip(t, c, request("CONNECT", target, target, header))
		return c, status, body
	}
	echoes := func(c net.Conn) {
		t.Helper()
		if _, err := io.WriteString(c, "hello"); err != nil {
			t.Fatal(err)
		}
		_ = c.(*net.TCPConn).CloseWrite()
		if b, err := io.ReadAll(c); string(b) != "hello" || err != nil {
			t.Errorf("through the tunnel: %q %v", b, err)
		}
	}
	c, status, _ := connect(strict, far.Addr().String(), proxyAuth("owner", ownerToken))
	if status != 200 {
		t.Fatalf("owner: %d", status)
	}
	echoes(c)
	c, status, _ = connect(s, far.Addr().String(), proxyAuth("hearth.j1", jobSecret))
	if status != 200 {
		t.Fatalf("job, allowed: %d", status)
	}
	echoes(c)
	_, status, body := connect(strict, far.Addr().String(), proxyAuth("hearth.j1", jobSecret))
	if status != 403 || !strings.Contains(body, "Jobs may not reach "+far.Addr().String()) {
		t.Errorf("job: %d %s", status, body)
	}
	if status, _, _ := roundTrip(t, strict.dial(t), request("GET", "http://pypi.test/simple", "pypi.test", proxyAuth("hearth.j1", jobSecret))); status != 403 {
		t.Errorf("job, absolute: %d", status)
	}
	if got := strings.Join(strict.refused, ","); got != "j1 "+far.Addr().String()+",j1 pypi.test" {
		t.Errorf("reported as refused: %q", got)
	}
	if _, status, _ = connect(strict, far.Addr().String(), "X: y"); status != 407 {
		t.Errorf("anonymous: %d", status)
	}
	far.Close()
	if _, status, body = connect(strict, far.Addr().String(), proxyAuth("owner", ownerToken)); status != 502 || !strings.Contains(body, "cannot be reached") {
		t.Errorf("dead host: %d %s", status, body)
	}
}

func TestServer_Run_FinishesRequests(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := startServer(t, func(_ *Options, h *Handlers) {
		h.ML = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			fmt.Fprint(w, "done")
		})
	})
	idle, silent := s.dial(t), s.dial(t)
	roundTrip(t, idle, request("GET", "/healthz", "localhost"))
	c := s.dial(t)
	if _, err := io.WriteString(c, request("POST", "/v1/x", "localhost", asOwner, "Content-Length: 0")); err != nil {
		t.Fatal(err)
	}
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()
	// The idle connection is closed while the request still runs.
	if b, _ := io.ReadAll(idle); len(b) != 0 {
		t.Errorf("idle connection: %q", b)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("still accepts connections")
	}
	select {
	case err := <-ended:
		t.Fatalf("ended before the request: %v", err)
	default:
	}
	close(release)
	if status, body, _ := roundTrip(t, c, ""); status != 200 || body != "done" {
		t.Errorf("%d %s", status, body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if b, _ := io.ReadAll(silent); len(b) != 0 {
		t.Errorf("silent connection: %q", b)
	}
}

func TestServer_Run_CutsOffAfterGrace(t *testing.T) {
	entered := make(chan struct{})
	s := startServer(t, func(o *Options, h *Handlers) {
		o.Grace = 10 * time.Millisecond
		h.ML = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
		})
	})
	c := s.dial(t)
	if _, err := io.WriteString(c, request("POST", "/v1/x", "localhost", asOwner, "Content-Length: 0")); err != nil {
		t.Fatal(err)
	}
	<-entered
	tunnelled := s.dial(t)
	roundTrip(t, tunnelled, request("CONNECT", "storage.googleapis.com:443", "storage.googleapis.com:443", proxyAuth("owner", ownerToken)))
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestListen_PortTaken(t *testing.T) {
	s := startServer(t, nil)
	if _, err := Listen(Options{Address: s.addr, TLSDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "listen on "+s.addr) {
		t.Errorf("%v", err)
	}
}

func TestReserved(t *testing.T) {
	for name, want := range map[string]bool{"storage": true, "hearth": true, "healthz": true, "console": true, "digits": false} {
		if Reserved(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
