package tests

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// target is a server that answers one request over and over.
type target struct {
	addr, path, token string
	body              []byte
	tls               bool
}

// servedAs is a model of the tests that the daemon has under its own name, asked for
// one instance.
func (d *daemon) servedAs(model string) target {
	return target{addr: d.addr, path: "/v1/projects/hearth/models/" + model + ":predict", token: d.token, body: requestOf(d.t, model)}
}

// requestOf is a request of one instance to a model of the tests.
func requestOf(t testing.TB, model string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(fromEnv(t, "HEARTH_TEST_MODELS"), model, "request_b1.json"))
	check(t, err)
	return body
}

// request is the request over HTTP/1.1.
func (t target) request() []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		t.path, t.addr, t.token, len(t.body), t.body)
}

func (t target) dial() (net.Conn, error) {
	if t.tls {
		return tls.Dial("tcp", t.addr, &tls.Config{InsecureSkipVerify: true})
	}
	return net.Dial("tcp", t.addr)
}

// ask sends the request once, and gives the body of the answer.
func (t target) ask() ([]byte, error) {
	return t.askBy(http.DefaultClient)
}

// askBy is ask by a client of one's own.
func (t target) askBy(client *http.Client) ([]byte, error) {
	req, err := http.NewRequest("POST", "http://"+t.addr+t.path, bytes.NewReader(t.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+t.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != 200 {
		err = fmt.Errorf("answered %s: %.200s", res.Status, answer)
	}
	return answer, err
}

// closedLoop is what a load was answered with.
type closedLoop struct {
	p50, p99 time.Duration
	rate     float64 // answers per second
}

// load keeps conns connections busy for a time: each sends its next request as soon
// as it has the answer to the last one, and at least one.
func (t target) load(conns int, lasts time.Duration) (closedLoop, error) {
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wg sync.WaitGroup
	began := time.Now()
	for range conns {
		wg.Go(func() {
			times, err := t.requests(began.Add(lasts))
			mu.Lock()
			defer mu.Unlock()
			all, failed = append(all, times...), cmp.Or(failed, err)
		})
	}
	wg.Wait()
	if failed != nil {
		return closedLoop{}, failed
	}
	return closedLoop{p50: quantile(all, 0.5), p99: quantile(all, 0.99), rate: float64(len(all)) / time.Since(began).Seconds()}, nil
}

// mustLoad is load of a server that must not fail.
func (t target) mustLoad(b testing.TB, conns int, lasts time.Duration) closedLoop {
	b.Helper()
	l, err := t.load(conns, lasts)
	check(b, err)
	return l
}

func (t target) requests(end time.Time) (times []time.Duration, err error) {
	c, err := t.dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	request, r := t.request(), bufio.NewReader(c)
	for began := time.Now(); len(times) == 0 || began.Before(end); {
		if _, err := c.Write(request); err != nil {
			return nil, err
		}
		if err := readAnswer(r); err != nil {
			return nil, err
		}
		now := time.Now()
		times = append(times, now.Sub(began))
		began = now
	}
	return times, nil
}

// readAnswer reads one answer of status 200 that has a Content-Length.
func readAnswer(r *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.Contains(line, []byte(" 200 ")) {
			return fmt.Errorf("answered %q", line)
		}
		if len(line) == 2 {
			if length < 0 {
				return errors.New("answered without a Content-Length")
			}
			_, err := r.Discard(length)
			return err
		}
		if v, ok := bytes.CutPrefix(bytes.ToLower(line), []byte("content-length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
		}
	}
}

// rounds are the same load repeated; its figures are the medians.
type rounds []closedLoop

func (r rounds) p50() time.Duration {
	return medianBy(r, func(l closedLoop) time.Duration { return l.p50 })
}
func (r rounds) p99() time.Duration {
	return medianBy(r, func(l closedLoop) time.Duration { return l.p99 })
}
func (r rounds) rate() float64 { return medianBy(r, func(l closedLoop) float64 { return l.rate }) }
