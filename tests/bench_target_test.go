package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// target is a server that answers one request over and over.
type target struct {
	addr, path, token string
	body              []byte
}

// ask sends the request once, and gives the body of the answer.
func (t target) ask() ([]byte, error) {
	req, err := http.NewRequest("POST", "http://"+t.addr+t.path, bytes.NewReader(t.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+t.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
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

// load sends the request over conns kept connections for so long, and gives each
// request's time, and requests per second.
func (t target) load(length time.Duration, conns int) ([]time.Duration, float64, error) {
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		t.path, t.addr, t.token, len(t.body), t.body)
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wg sync.WaitGroup
	began := time.Now()
	for range conns {
		wg.Go(func() {
			times, err := requests(t.addr, request, began.Add(length))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	return all, float64(len(all)) / time.Since(began).Seconds(), failed
}

// mustLoad is load of a server of our own, for one second.
func (t target) mustLoad(b *testing.B, conns int) ([]time.Duration, float64) {
	b.Helper()
	times, rate, err := t.load(time.Second, conns)
	check(b, err)
	return times, rate
}

func requests(addr string, request []byte, end time.Time) ([]time.Duration, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	var times []time.Duration
	for began := time.Now(); began.Before(end); {
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
	const header = "Content-Length: "
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
				return fmt.Errorf("answered without a Content-Length")
			}
			_, err := r.Discard(length)
			return err
		}
		if len(line) > len(header) && bytes.EqualFold(line[:len(header)], []byte(header)) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(line[len(header):])))
		}
	}
}
