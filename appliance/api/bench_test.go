package api

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/rs/zerolog"
)

// The front door stands before every prediction.
func TestServer_ServeHTTP_Allocates_Nothing(t *testing.T) {
	serve := frontDoor()
	if n := testing.AllocsPerRun(100, serve); n != 0 {
		t.Errorf("%v allocations before the handler", n)
	}
}

func BenchmarkServer_ServeHTTP(b *testing.B) {
	serve := frontDoor()
	b.ReportAllocs()
	for b.Loop() {
		serve()
	}
}

// frontDoor gives a function that takes one request of the owner as far as its
// handler, which does nothing.
func frontDoor() func() {
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	s := &Server{o: Options{Auth: testAuth{}}, log: zerolog.Nop()}
	s.Mount(Handlers{GRPC: said(echoCaller), ML: nothing})
	s.hosts = newHosts(nil, &net.TCPAddr{})
	r := httptest.NewRequest("POST", "/v1/projects/hearth/models/m:predict", nil)
	r.Host = "127.0.0.1:8080"
	r.Header.Set("Authorization", "Bearer "+ownerToken)
	r = r.WithContext(context.WithValue(r.Context(), linkKey{}, &link{}))
	w := httptest.NewRecorder()
	return func() { s.ServeHTTP(w, r) }
}

// BenchmarkTLS_Download sends 64 MiB through the front door's TLS, beside
// net/http's alone.
func BenchmarkTLS_Download(b *testing.B) {
	const size, piece = 64 << 20, 256 << 10
	send := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		content := make([]byte, piece)
		for range size / piece {
			if _, err := w.Write(content); err != nil {
				return
			}
		}
	})
	get := func(b *testing.B, url string) {
		b.SetBytes(size)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		buf := make([]byte, piece)
		for b.Loop() {
			res, err := client.Get(url)
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, res.Body, buf)
			if err != nil || n != size {
				b.Fatal(n, err)
			}
			res.Body.Close()
		}
	}
	b.Run("hearth", func(b *testing.B) {
		ts := startServer(b, func(_ *Options, h *Handlers) { h.Storage = send })
		ts.paths["bucket1"] = target{send, anybody}
		get(b, "https://"+ts.addr+"/bucket1/x")
	})
	b.Run("floor: net/http", func(b *testing.B) {
		server := httptest.NewTLSServer(send)
		defer server.Close()
		get(b, server.URL)
	})
}
