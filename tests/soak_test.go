package tests

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSoak_Predict keeps predictions up at 80 % of what the machine can answer, over
// kept connections, and beside them a trickle of what makes servers leak: clients
// that come and go, with and without TLS, with good requests and bad ones. The
// daemon and the workers may not grow. It takes 15 s, or as long as
// HEARTH_SOAK_TIME says; then it tells the latency over time too.
func TestSoak_Predict(t *testing.T) {
	lasts := 15 * time.Second
	if text := os.Getenv("HEARTH_SOAK_TIME"); text != "" {
		var err error
		lasts, err = time.ParseDuration(text)
		check(t, err)
	}
	n := newAsked(newDaemon(t), "half_plus_two", "mlp_784_512_512_10")
	rate := 0.8 * n.capacity(t, 2*time.Second)
	const parts = 15
	var sizes []footprint
	for part := range parts {
		during(5*time.Millisecond, n.comeAndGo, func() {
			r := n.ask(t, rate, lasts/parts)
			t.Logf("part %d: %d answers at %.0f/s, p50 %s, p99 %s", part, len(r.Times), rate, r.Quantile(0.5), r.Quantile(0.99))
		})
		sizes = append(sizes, n.footprint())
	}
	t.Logf("what the processes held at the end of each part:\n%s", tableOf(sizes))
	// In the first parts buffers and heaps find their size.
	early, late := mostOf(sizes[parts/3:parts*2/3]), mostOf(sizes[parts*2/3:])
	for pid, was := range early {
		is := late[pid]
		if is.descriptors > was.descriptors+16 || is.goroutines > was.goroutines+16 || is.threads > was.threads+8 || is.resident > was.resident+was.resident/10+8<<20 {
			t.Errorf("process %d grew: it held %+v in the middle third and %+v in the last one", pid, was, is)
		}
	}
}

// comeAndGo is one client that is not of the kept ones.
func (n *asked) comeAndGo(i int) {
	scheme, body, want := "http", half, 200
	if i%2 == 1 {
		scheme = "https"
	}
	if i%3 == 2 {
		body, want = `{"instances": [`+strings.Repeat("[", 500), 400
	}
	req, err := http.NewRequest("POST", scheme+"://"+n.addr+"/v1/projects/hearth/models/half_plus_two:predict", strings.NewReader(body))
	check(n.t, err)
	req.Header.Set("Authorization", "Bearer "+n.token)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: i%5 != 0}}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		n.t.Errorf("a client that came and went: %v", err)
		return
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	if res.StatusCode != want {
		n.t.Errorf("a client that came and went was answered %s, not %d", res.Status, want)
	}
}

// holding is what a process holds.
type holding struct {
	resident                         int64 // bytes
	descriptors, threads, goroutines int   // goroutines: the daemon's only
}

// footprint is that of the daemon and its workers, by process.
type footprint map[int]holding

func (n *asked) footprint() footprint {
	f := footprint{}
	for _, pid := range append(n.workers(), n.cmd.Process.Pid) {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		check(n.t, err)
		f[pid] = holding{resident: 1024 * int64(statusOf(n.t, pid, "VmRSS:")), descriptors: len(fds), threads: statusOf(n.t, pid, "Threads:")}
	}
	_, metrics := n.raw("GET", "/metrics", "")
	for line := range strings.Lines(string(metrics)) {
		if v, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			daemon := f[n.cmd.Process.Pid]
			daemon.goroutines, _ = strconv.Atoi(strings.TrimSpace(v))
			f[n.cmd.Process.Pid] = daemon
		}
	}
	if f[n.cmd.Process.Pid].goroutines == 0 {
		n.t.Error("the metrics tell no number of goroutines")
	}
	return f
}

// mostOf is the most that each process held of everything.
func mostOf(all []footprint) footprint {
	most := footprint{}
	for _, f := range all {
		for pid, h := range f {
			m := most[pid]
			most[pid] = holding{max(m.resident, h.resident), max(m.descriptors, h.descriptors), max(m.threads, h.threads), max(m.goroutines, h.goroutines)}
		}
	}
	return most
}

func tableOf(all []footprint) string {
	var b strings.Builder
	for i, f := range all {
		for pid, h := range f {
			fmt.Fprintf(&b, "part %2d, process %d: %d MiB, %d descriptors, %d threads, %d goroutines\n", i, pid, h.resident>>20, h.descriptors, h.threads, h.goroutines)
		}
	}
	return b.String()
}
