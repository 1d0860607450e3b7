package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// target is what a closed loop asks: each connection sends its next request as
// soon as it has the answer to the last one.
type target struct {
	dial    func() (net.Conn, error)
	request []byte
}

// plainTarget is a path at an address, over HTTP/1.1.
func plainTarget(addr, path, token string, body []byte) target {
	return target{
		dial: func() (net.Conn, error) { return net.Dial("tcp", addr) },
		request: fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			path, addr, token, len(body), body),
	}
}

// closedLoop is what one load was answered with.
type closedLoop struct {
	p50, p99 time.Duration
	rate     float64 // answers per second
}

// load keeps conns connections busy for a time, each with at least one request.
func (t target) load(b testing.TB, conns int, lasts time.Duration) closedLoop {
	b.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	began := time.Now()
	for range conns {
		wg.Go(func() {
			times := t.requests(b, began.Add(lasts))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
		})
	}
	wg.Wait()
	took := time.Since(began)
	if len(all) == 0 {
		b.Fatal("nothing was answered")
	}
	return closedLoop{p50: quantile(all, 0.5), p99: quantile(all, 0.99), rate: float64(len(all)) / took.Seconds()}
}

func (t target) requests(b testing.TB, end time.Time) []time.Duration {
	c, err := t.dial()
	if err != nil {
		b.Error(err)
		return nil
	}
	defer c.Close()
	r := bufio.NewReader(c)
	var times []time.Duration
	for began := time.Now(); len(times) == 0 || began.Before(end); {
		if _, err := c.Write(t.request); err != nil {
			b.Error(err)
			return nil
		}
		if err := readAnswer(r); err != nil {
			b.Error(err)
			return nil
		}
		now := time.Now()
		times = append(times, now.Sub(began))
		began = now
	}
	return times
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
