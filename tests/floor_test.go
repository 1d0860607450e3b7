package tests

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// floor is the barest server that TensorFlow's gs:// file system can use: a
// CONNECT proxy that ends TLS, and a handler that does nothing but pass bytes
// between net/http and a file, or an S3 server by minio-go. It is what the
// bucket's speed is compared with. It checks nothing and keeps nothing but the
// content.
type floor struct {
	config *tls.Config
	store  floorStore
}

// floorStore keeps the content. size is -1 for what is not there.
type floorStore interface {
	size(name string) int64
	read(w io.Writer, name string, from, n int64) error
	write(name string, r io.Reader, size int64) error
}

// floorFiles keeps it in files, which it syncs.
type floorFiles struct{ dir string }

func (f floorFiles) path(name string) string {
	return filepath.Join(f.dir, strings.ReplaceAll(name, "/", "_"))
}

func (f floorFiles) size(name string) int64 {
	info, err := os.Stat(f.path(name))
	if err != nil {
		return -1
	}
	return info.Size()
}

func (f floorFiles) read(w io.Writer, name string, from, n int64) error {
	file, err := os.Open(f.path(name))
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return err
	}
	_, err = io.CopyN(w, file, n)
	return err
}

func (f floorFiles) write(name string, r io.Reader, _ int64) error {
	file, err := os.CreateTemp(f.dir, "new-*")
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(file, r); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return os.Rename(file.Name(), f.path(name))
}

// floorS3 keeps it on an S3 server.
type floorS3 struct{ core minio.Core }

func newFloorS3(endpoint, access, secret string) (floorS3, error) {
	c, err := minio.New(strings.TrimPrefix(endpoint, "http://"), &minio.Options{Creds: credentials.NewStaticV4(access, secret, ""), Region: "us-east-1"})
	if err == nil {
		err = c.MakeBucket(ctxBackground, "floor", minio.MakeBucketOptions{})
	}
	return floorS3{minio.Core{Client: c}}, err
}

func (f floorS3) size(name string) int64 {
	info, err := f.core.StatObject(ctxBackground, "floor", name, minio.StatObjectOptions{})
	if err != nil {
		return -1
	}
	return info.Size
}

func (f floorS3) read(w io.Writer, name string, from, n int64) error {
	var o minio.GetObjectOptions
	if err := o.SetRange(from, from+n-1); err != nil {
		return err
	}
	rc, _, _, err := f.core.GetObject(ctxBackground, "floor", name, o)
	if err != nil {
		return err
	}
	defer rc.Close()
	_, err = io.Copy(w, rc)
	return err
}

func (f floorS3) write(name string, r io.Reader, size int64) error {
	_, err := f.core.Client.PutObject(ctxBackground, "floor", name, r, size, minio.PutObjectOptions{})
	return err
}

// runFloor is the process of a floor: what it is comes from the environment.
func runFloor(l net.Listener) error {
	f := &floor{}
	fields := strings.Fields(os.Getenv("HEARTH_BENCH_STORE"))
	var err error
	if fields[0] == "files" {
		f.store = floorFiles{fields[1]}
	} else if f.store, err = newFloorS3(fields[1], fields[2], fields[3]); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(os.Getenv("HEARTH_BENCH_CERT"), os.Getenv("HEARTH_BENCH_CERT"))
	if err != nil {
		return err
	}
	f.config = &tls.Config{Certificates: []tls.Certificate{pair}}
	return http.Serve(l, f)
}

// startFloor runs one in a process of its own, as the daemon is, and gives the
// environment that TensorFlow reaches it by.
func startFloor(b *testing.B, spec string) []string {
	cert := filepath.Join(b.TempDir(), "cert.pem")
	check(b, writeCertificate(cert))
	addr := startProgram(b, "HEARTH_BENCH_FLOOR", "HEARTH_BENCH_STORE="+spec, "HEARTH_BENCH_CERT="+cert)
	return []string{"https_proxy=http://" + addr, "no_proxy=127.0.0.1,localhost", "CURL_CA_BUNDLE=" + cert, "GOOGLE_AUTH_TOKEN_FOR_TESTING=x"}
}

// writeCertificate makes a certificate that is its own authority, with its key.
func writeCertificate(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "floor"}, DNSNames: []string{"*.googleapis.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	all := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})...)
	return os.WriteFile(path, all, 0o600)
}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
		http.Serve(&oneConn{conn: &floorConn{Conn: tls.Server(conn, f.config)}}, http.HandlerFunc(f.answer))
		return
	}
	f.answer(w, r)
}

func (f *floor) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	path, err := url.PathUnescape(r.URL.EscapedPath())
	if err != nil {
		w.WriteHeader(400)
		return
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case r.Method == "PUT":
		total, _ := strconv.ParseInt(r.Header.Get("Content-Range")[strings.LastIndexByte(r.Header.Get("Content-Range"), '/')+1:], 10, 64)
		if err := f.store.write(r.URL.Query().Get("name"), r.Body, total); err != nil {
			http.Error(w, err.Error(), 500)
		}
	case strings.HasPrefix(path, "/upload/"):
		w.Header().Set("Location", "https://www.googleapis.com/upload/storage/v1/b/bench/o?upload_id=1&name="+url.QueryEscape(r.URL.Query().Get("name")))
	case !strings.HasPrefix(path, "/storage/v1/b/"):
		f.download(w, r, name)
	case strings.Contains(path, "/o/"):
		size := f.store.size(name)
		if size < 0 {
			http.Error(w, "{}", 404)
			return
		}
		fmt.Fprintf(w, `{"size":"%d","generation":"1","updated":"2026-01-01T00:00:00.000Z"}`, size)
	default:
		fmt.Fprint(w, "{}")
	}
}

func (f *floor) download(w http.ResponseWriter, r *http.Request, name string) {
	var from, to int64
	fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
	size := f.store.size(name)
	if from >= size {
		w.WriteHeader(416)
		return
	}
	n := min(to, size-1) - from + 1
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, from+n-1, size))
	w.WriteHeader(206)
	f.store.read(w, name, from, n)
}

// floorConn takes a header out of TensorFlow's first request that net/http does
// not like.
type floorConn struct {
	net.Conn
	head []byte
	done bool
}

func (c *floorConn) Read(p []byte) (int, error) {
	for !c.done && !bytes.Contains(c.head, []byte("\r\n\r\n")) {
		buf := make([]byte, 4096)
		n, err := c.Conn.Read(buf)
		c.head = append(c.head, buf[:n]...)
		if err != nil {
			return 0, err
		}
	}
	if !c.done {
		c.head, c.done = bytes.Replace(c.head, []byte("Transfer-Encoding: identity\r\n"), nil, 1), true
	}
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// oneConn is a listener that gives one connection.
type oneConn struct{ conn net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	c := l.conn
	if c == nil {
		return nil, net.ErrClosed
	}
	l.conn = nil
	return c, nil
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
