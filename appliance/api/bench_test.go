package api

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
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
	s.Mount(Handlers{ML: nothing})
	s.hosts = newHosts(nil, &net.TCPAddr{})
	r := httptest.NewRequest("POST", "/v1/projects/hearth/models/m:predict", nil)
	r.Host = "127.0.0.1:8080"
	r.Header.Set("Authorization", "Bearer "+ownerToken)
	r = r.WithContext(context.WithValue(r.Context(), linkKey{}, &link{}))
	w := httptest.NewRecorder()
	return func() { s.ServeHTTP(w, r) }
}
