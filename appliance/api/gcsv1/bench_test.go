package gcsv1

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"hearth/storage/object"
)

// newBenchStore makes a bucket of n small objects.
func newBenchStore(b *testing.B, n int) object.Store {
	b.Helper()
	store, err := object.OpenLocal(b.TempDir(), object.LocalOptions{Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	if _, err := store.CreateBucket(b.Context(), object.Bucket{Name: "data"}); err != nil {
		b.Fatal(err)
	}
	// Many at a time share their syncs.
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(256)
	for i := range n {
		group.Go(func() error {
			p := object.PutRequest{Bucket: "data", Name: fmt.Sprintf("shard-%03d/record-%06d.tfrecord", i/1000, i)}
			p.Attributes.ContentType = defaultContentType
			_, err := store.Put(ctx, p, strings.NewReader("x"))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return store
}

// BenchmarkList reads a bucket of 100,000 objects page by page over HTTP.
func BenchmarkList(b *testing.B) {
	const n = 100_000
	server := httptest.NewServer(New(Options{Store: newBenchStore(b, n), Log: zerolog.Nop()}))
	defer server.Close()
	for _, test := range []struct{ name, query string }{
		{"Whole", ""}, {"Names", "&fields=items/name,nextPageToken"}, {"Glob", "&fields=items/name,nextPageToken&matchGlob=**/*.tf*"},
	} {
		b.Run(test.name, func(b *testing.B) {
			var wire int64
			for b.Loop() {
				seen, token := 0, ""
				for ok := true; ok; ok = token != "" {
					res, err := http.Get(server.URL + "/storage/v1/b/data/o?pageToken=" + token + test.query)
					if err != nil {
						b.Fatal(err)
					}
					raw, err := io.ReadAll(res.Body)
					res.Body.Close()
					if err != nil {
						b.Fatal(err)
					}
					wire += int64(len(raw))
					// How fast clients take a page apart is not measured.
					seen += bytes.Count(raw, []byte(`"name":`))
					_, rest, _ := strings.Cut(string(raw[:min(len(raw), 200)]), `"nextPageToken":"`)
					token, _, _ = strings.Cut(rest, `"`)
				}
				if seen != n {
					b.Fatalf("%d objects", seen)
				}
			}
			b.ReportMetric(float64(wire)/float64(b.N)/(1<<20), "MiB/op")
		})
	}
}

// BenchmarkPage answers one page of 1000 objects without HTTP.
func BenchmarkPage(b *testing.B) {
	store := newBenchStore(b, 1000)
	h := New(Options{Store: store, Log: zerolog.Nop()})
	for _, query := range []string{"", "?fields=items/name"} {
		b.Run("Fields"+query, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "/storage/v1/b/data/o"+query, nil))
				if w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

// BenchmarkDownload reads an object of 256 MiB, and the same file by the barest
// http.ServeContent.
func BenchmarkDownload(b *testing.B) {
	const size = 256 << 20
	store := newBenchStore(b, 0)
	if _, err := store.Put(b.Context(), object.PutRequest{Bucket: "data", Name: "big"}, io.LimitReader(zeros{}, size)); err != nil {
		b.Fatal(err)
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rd, err := store.Open(r.Context(), "data", "big")
		if err != nil {
			b.Error(err)
			return
		}
		defer rd.Close()
		http.ServeContent(w, r, "", time.Time{}, rd.(interface{ Descriptor() *os.File }).Descriptor())
	})
	for _, test := range []struct {
		name string
		h    http.Handler
	}{{"Hearth", New(Options{Store: store, Log: zerolog.Nop()})}, {"ServeContent", bare}} {
		for _, secure := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/TLS=%v", test.name, secure), func(b *testing.B) {
				server := httptest.NewUnstartedServer(test.h)
				if server.TLS = (&tls.Config{NextProtos: []string{"http/1.1"}}); secure {
					server.StartTLS()
				} else {
					server.TLS = nil
					server.Start()
				}
				defer server.Close()
				b.SetBytes(size)
				buf := make([]byte, 1<<20)
				before := cpu(b)
				for b.Loop() {
					res, err := server.Client().Get(server.URL + "/data/big")
					if err != nil {
						b.Fatal(err)
					}
					n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{res.Body}, buf)
					res.Body.Close()
					if n != size || err != nil {
						b.Fatal(n, err)
					}
				}
				b.ReportMetric(float64((cpu(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// cpu is what this process has used, which other load on the machine changes
// little.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
