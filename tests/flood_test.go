package tests

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// highWater is the memory of a daemon and of a model's worker at its highest since it
// was looked at last.
type highWater struct {
	t    testing.TB
	pids []int
	held int64
}

func (d *daemon) highWater(model string) *highWater {
	d.t.Helper()
	f := &highWater{t: d.t, pids: []int{d.cmd.Process.Pid, d.worker(model)}}
	f.held = f.peak()
	return f
}

// grown is by how many MiB it grew at most.
func (f *highWater) grown() int64 {
	f.t.Helper()
	mib := (f.peak() - f.held) >> 10
	f.t.Logf("the memory grew by %d MiB", mib)
	return mib
}

// peak gives the highest in KiB, and begins anew.
func (f *highWater) peak() (sum int64) {
	f.t.Helper()
	for _, pid := range f.pids {
		sum += int64(statusOf(f.t, pid, "VmHWM:"))
		check(f.t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0))
	}
	return sum
}

// JSON a million levels deep and bodies of 1 GiB are refused at little cost, whether
// the client says how much is coming or not.
func TestFlood_OneRequest(t *testing.T) {
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	d.keepPredicting(t, "half")
	f := d.highWater("half")
	deep := `{"instances":` + strings.Repeat("[", 1_000_000)
	for _, path := range []string{"/v1/projects/hearth/models/half:predict", "/v1/models/half:predict"} {
		if status, answer := d.raw("POST", path, deep); status != 400 || !strings.Contains(string(answer), "deep") {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	// Of what is announced nothing is read; of the rest as much as may be.
	for name, c := range map[string]struct{ size, read int64 }{"announced": {1 << 30, 8 << 20}, "in chunks": {-1, 80 << 20}} {
		body := &endless{left: 1 << 30}
		if status := d.postEndless(t, body, c.size); status != 413 {
			t.Errorf("%s: answered %d", name, status)
		}
		if sent := 1<<30 - body.left; sent > c.read {
			t.Errorf("%s: answered only after %d MiB", name, sent>>20)
		}
	}
	// The limit of a body is 64 MiB, of which there are two copies while it grows; as
	// much may be garbage that is not collected yet.
	if grown := f.grown(); grown > 400 {
		t.Errorf("the memory grew by %d MiB", grown)
	}
}

// endless is a body of spaces.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	e.left -= n
	return int(n), nil
}

// postEndless sends a body on a connection of its own and gives the status of the answer, which
// may come before the body has been sent.
func (d *daemon) postEndless(t *testing.T, body *endless, size int64) (status int) {
	t.Helper()
	k := d.keep()
	length := fmt.Sprintf("Content-Length: %d", size)
	if size < 0 {
		length = "Transfer-Encoding: chunked"
	}
	_, err := io.WriteString(k.c, d.predicting("half", "", length))
	check(t, err)
	sent := make(chan error, 1)
	go func() {
		var err error
		if size >= 0 {
			_, err = io.Copy(k.c, body)
		} else {
			err = writeChunks(k.c, body)
		}
		sent <- err
	}()
	answer, err := http.ReadResponse(k.in, nil)
	check(t, err)
	k.c.Close()
	if err := <-sent; err == nil {
		t.Error("all of it was taken")
	}
	return answer.StatusCode
}

func writeChunks(w io.Writer, body io.Reader) error {
	chunk := make([]byte, 1<<20)
	for {
		n, err := body.Read(chunk)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%x\r\n%s\r\n", n, chunk[:n]); err != nil {
			return err
		}
	}
}

// A thousand clients that send a byte a second each hold neither anybody up nor much
// memory, and get their answers in the end.
func TestFlood_SlowClients(t *testing.T) {
	const clients, seconds = 1000, 4
	var files syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	if files.Cur < 4*clients {
		t.Skipf("%d files may be open here", files.Cur)
	}
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	d.keepPredicting(t, "half")
	f := d.highWater("half")
	text := d.predicting("half", half)
	slow := make([]*kept, clients)
	sent := make([]int, clients)
	for i := range slow {
		slow[i] = d.keep()
		// Every other one is slow with its head, the rest with the body.
		sent[i] = len(text) - len(half)
		if i%2 == 1 {
			sent[i] /= 2
		}
		_, err := io.WriteString(slow[i].c, text[:sent[i]])
		check(t, err)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range seconds {
		<-tick.C
		for i, k := range slow {
			_, err := io.WriteString(k.c, text[sent[i]:sent[i]+1])
			check(t, err)
			sent[i]++
		}
		if status, answer := d.predict("half", half); status != 200 {
			t.Errorf("beside them: %d %s", status, answer)
		}
	}
	if grown := f.grown(); grown > 100 {
		t.Errorf("the memory grew by %d MiB", grown)
	}
	for i, k := range slow {
		k.expect(text[sent[i]:], 200, "2.5")
	}
}
