package serving_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml/rest"
	"hearth/serving"
)

// BenchmarkPredict measures a prediction over HTTP keep-alive, by way of a
// worker that computes in Go, beside a bare echo of the same bytes, turn by
// turn: the ratio of their medians is what the hop costs.
func BenchmarkPredict(b *testing.B) {
	h := newHouse(b)
	h.options.Log = zerolog.New(h.log)
	r := h.start()
	r.deploy("half", "v1", "half_plus_two")
	const body = `{"instances": [1.0, 2.0, 5.0]}`
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, q *http.Request) {
		in, err := io.ReadAll(q.Body)
		if err != nil {
			rest.WriteError(w, q, err)
			return
		}
		w.Write(in)
	})
	mux.HandleFunc("/predict", func(w http.ResponseWriter, q *http.Request) {
		in, err := io.ReadAll(q.Body)
		if err != nil {
			rest.WriteError(w, q, err)
			return
		}
		answer, err := r.Predict(q.Context(), serving.PredictRequest{Project: "hearth", Model: "half", Body: in})
		if err != nil {
			rest.WriteError(w, q, err)
			return
		}
		defer answer.Release()
		w.Header().Set("Content-Type", answer.ContentType)
		w.Write(answer.Body)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	echo, predict := newClient(b, server, "/echo", body), newClient(b, server, "/predict", body)
	hop := func() time.Duration {
		began := time.Now()
		if status, answer, err := r.ask("half", "", body); err != nil || status != 200 {
			b.Fatalf("%d %s %v", status, answer, err)
		}
		return time.Since(began)
	}
	var echoes, predictions, hops []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		echoes = append(echoes, echo())
		predictions = append(predictions, predict())
		hops = append(hops, hop())
	}
	e, p := median(echoes), median(predictions)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(e, "echo-p50-µs")
	b.ReportMetric(p, "predict-p50-µs")
	b.ReportMetric(median(hops), "hop-p50-µs")
	b.ReportMetric(p/e, "predict/echo")
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2].Nanoseconds()) / 1000
}

// newClient gives a function that makes one request on a kept connection, by
// hand, so that little of what is measured is the client.
func newClient(b *testing.B, server *httptest.Server, path, body string) func() time.Duration {
	b.Helper()
	address := strings.TrimPrefix(server.URL, "http://")
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", path, address, len(body), body)
	in := bufio.NewReader(c)
	return func() time.Duration {
		began := time.Now()
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
			b.Fatalf("%s: %s %v", path, answer.Status, err)
		}
		return time.Since(began)
	}
}
