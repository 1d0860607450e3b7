package worker_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth/ml"
	"hearth/serving/frame"
	"hearth/serving/handover"
	"hearth/serving/worker"
)

// door is a daemon's end of a worker: it lends connections and takes them back.
type door struct {
	t     *testing.T
	link  *handover.Link
	backs chan back
}

type back struct {
	conn *net.TCPConn
	read string
	why  handover.Reason
}

func (r *running) door() *door {
	r.t.Helper()
	d := &door{t: r.t, backs: make(chan back, 16)}
	var err error
	d.link, err = handover.Dial(r.t.Context(), r.dir, handover.Options{
		Back: func(c *net.TCPConn, read []byte, why handover.Reason) { d.backs <- back{c, string(read), why} },
		Died: func([]handover.Body) {},
		Unanswered: func(method uint8, last bool) []byte {
			return handover.AppendError(nil, frame.Method(method), handover.ErrDied(nil), last)
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(d.link.Close)
	return d
}

// visitor is a client.
type visitor struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

// visit lends a connection of which first has been read.
func (d *door) visit(method frame.Method, first string) *visitor {
	d.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	server, err := l.Accept()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.link.Lend(server.(*net.TCPConn), uint8(method), d.link.Epoch(), []byte(first)); err != nil {
		d.t.Fatal(err)
	}
	return &visitor{d.t, c, bufio.NewReader(c)}
}

func asks(path, body string, headers ...string) string {
	lines := append([]string{"POST " + path + " HTTP/1.1", "Host: h", fmt.Sprintf("Content-Length: %d", len(body))}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

func (v *visitor) say(text string) {
	v.t.Helper()
	if _, err := io.WriteString(v, text); err != nil {
		v.t.Fatal(err)
	}
}

func (v *visitor) expect(status int, body string) *http.Response {
	v.t.Helper()
	answer, err := http.ReadResponse(v.in, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	got, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status || !strings.Contains(string(got), body) {
		v.t.Errorf("%d %s %v\nwant %d %s", answer.StatusCode, got, err, status, body)
	}
	return answer
}

func (d *door) expectBack(read string, why handover.Reason) back {
	d.t.Helper()
	select {
	case b := <-d.backs:
		if b.read != read || b.why != why {
			d.t.Errorf("given back with %q, because %v, want %q because %v", b.read, b.why, read, why)
		}
		d.t.Cleanup(func() { b.conn.Close() })
		return b
	case <-time.After(10 * time.Second):
		d.t.Fatal("not given back")
		panic("unreachable")
	}
}

func TestDirect(t *testing.T) {
	d := serving(t, 1, newHalfPlusTwo(nil)).door()
	v := d.visit(frame.AIPlatform, asks("/p", `{"instances": [1]}`))
	answer := v.expect(200, `{"predictions": [{"y": 2.5}]}`)
	if answer.Header.Get("Content-Type") != "application/json" || answer.Header.Get("Date") == "" || answer.ContentLength < 0 {
		t.Errorf("%v", answer.Header)
	}
	// Several at once, in pieces, large ones, bad ones: all on one connection.
	one := asks("/p", `{"instances": [2]}`)
	v.say(one + one + one[:30])
	v.expect(200, `3.0`)
	v.expect(200, `3.0`)
	v.say(one[30:60])
	v.say(one[60:])
	v.expect(200, `3.0`)
	many := `{"instances": [` + strings.Repeat("4.0,", 100_000) + `4.0]}`
	v.say(asks("/p", many))
	v.expect(200, `{"y": 4.0}]`)
	v.say(asks("/p", `{"instances": ["x"]}`))
	v.expect(400, `{"error":"Prediction failed: Invalid inputs: instance 0`)
	v.say(asks("/p", `{"instances": [1]}`, "Accept-Encoding: gzip"))
	v.expect(200, `2.5`)
	v.say(asks("/p", many, "Accept-Encoding: gzip"))
	if answer := v.expect(200, ``); answer.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("a large answer: %v", answer.Header)
	}
	// What is for somebody else goes back, whole.
	for i, other := range []struct {
		text string
		why  handover.Reason
	}{
		{"GET / HTTP/1.1\r\n\r\n", handover.Refused},
		{asks("/q", `{}`), handover.Strayed},
		{asks("/p", `{}`, "Authorization: b"), handover.Strayed},
		{asks("/p", `{}`, "Expect: 100-continue"), handover.Refused},
		{"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", handover.Refused},
	} {
		v := d.visit(frame.TFServing, one)
		v.expect(200, `{"predictions": [3.0]}`)
		v.say(other.text)
		b := d.expectBack(other.text, other.why)
		if _, err := io.WriteString(b.conn, "on\n"); err != nil {
			t.Error(err)
		}
		if on, err := v.in.ReadString('\n'); on != "on\n" {
			t.Errorf("%d: %q %v", i, on, err)
		}
	}
	// One that has paid for its way may go elsewhere without ado.
	v = d.visit(frame.TFServing, one)
	for range 7 {
		v.expect(200, `3.0`)
		v.say(one)
	}
	v.expect(200, `3.0`)
	v.say(asks("/q", `{}`))
	d.expectBack(asks("/q", `{}`), handover.Changed)
	if d.link.Used().IsZero() {
		t.Error("nobody knows that the version is used")
	}
}

func TestDirect_Recall(t *testing.T) {
	d := serving(t, 1, newHalfPlusTwo(nil)).door()
	one := asks("/p", `{"instances": [2]}`)
	v := d.visit(frame.AIPlatform, one)
	v.expect(200, "3.0")
	d.link.Recall()
	v.say(one)
	d.expectBack(one, handover.Changed)
}

func TestDirect_ClientCloses(t *testing.T) {
	d := serving(t, 1, newHalfPlusTwo(nil)).door()
	one := asks("/p", `{"instances": [2]}`)
	for _, half := range []string{"", one[:20], one[:len(one)-3]} {
		v := d.visit(frame.AIPlatform, one)
		v.expect(200, "3.0")
		v.say(half)
		if err := v.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := v.in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("behind %q: %v", half, err)
		}
	}
}

// Over the bound of requests in flight there is a clear answer at once, in the words
// of the API that was asked, and the connection goes on.
func TestDirect_Limits(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	m := newHalfPlusTwo(func(x float32) error {
		if x == 7 {
			enter <- struct{}{}
			<-leave
		}
		return nil
	})
	d := servingLimited(t, 2, m, worker.Limits{InFlight: 1}).door()
	one := asks("/p", `{"instances": [2]}`)
	slow := d.visit(frame.AIPlatform, asks("/p", `{"instances": [7]}`))
	<-enter
	other := d.visit(frame.AIPlatform, one)
	if answer := other.expect(429, `"status": "RESOURCE_EXHAUSTED"`); answer.Header.Get("Retry-After") != "1" {
		t.Errorf("%v", answer.Header)
	}
	d.visit(frame.TFServing, one).expect(429, `{"error":"The version has 1 requests in flight`)
	leave <- struct{}{}
	slow.expect(200, "5.5")
	other.say(one)
	other.expect(200, "3.0")
}

// A worker that is told to end answers what it has read, and gives back the rest.
func TestDirect_Stop(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	m := newHalfPlusTwo(func(x float32) error {
		if x == 7 {
			enter <- struct{}{}
			<-leave
		}
		if x == 8 {
			return ml.Errorf(ml.InvalidArgument, "eight")
		}
		return nil
	})
	r := serving(t, 2, m)
	d := r.door()
	one := asks("/p", `{"instances": [2]}`)
	idle := d.visit(frame.AIPlatform, one)
	idle.expect(200, "3.0")
	half := d.visit(frame.AIPlatform, one)
	half.expect(200, "3.0")
	half.say(one[:20])
	busy := d.visit(frame.AIPlatform, asks("/p", `{"instances": [7]}`))
	<-enter
	r.stop()
	got := map[string]bool{}
	for range 2 {
		b := <-d.backs
		got[b.read] = true
		defer b.conn.Close()
	}
	if !got[""] || !(got[one[:20]] || len(got) == 1) {
		t.Errorf("given back with %v", got)
	}
	close(leave)
	busy.expect(200, "5.5")
	d.expectBack("", handover.Changed)
}

// A run that takes too long costs its client the connection, not its time; others are
// answered meanwhile.
func TestDirect_Late(t *testing.T) {
	leave := make(chan struct{})
	m := newHalfPlusTwo(func(x float32) error {
		if x == 7 {
			<-leave
		}
		return nil
	})
	d := servingLimited(t, 2, m, worker.Limits{Timeout: 30 * time.Millisecond}).door()
	slow := d.visit(frame.AIPlatform, asks("/p", `{"instances": [7]}`))
	slow.expect(504, `"status": "DEADLINE_EXCEEDED"`)
	if _, err := slow.in.ReadByte(); err != io.EOF {
		t.Errorf("behind the answer: %v", err)
	}
	d.visit(frame.AIPlatform, asks("/p", `{"instances": [2]}`)).expect(200, "3.0")
	close(leave)
}
