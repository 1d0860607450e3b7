package handover_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hearth/serving/handover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// returned is a connection that came back to the daemon.
type returned struct {
	conn *net.TCPConn
	read string
	why  handover.Reason
}

// lent is a connection at the worker's end.
type lent struct {
	seat *handover.Seat
	read string
}

// house is a post, the links that daemons have to it, and connections of clients.
type house struct {
	t     *testing.T
	dir   string
	post  *handover.Post
	seats chan lent
	backs chan returned
	died  chan []handover.Body
}

func newHouse(t *testing.T) *house {
	h := &house{t: t, dir: t.TempDir(), seats: make(chan lent, 16), backs: make(chan returned, 16), died: make(chan []handover.Body, 16)}
	var err error
	if h.post, err = handover.Listen(h.dir, func(s *handover.Seat, read []byte) { h.seats <- lent{s, string(read)} }); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.post.Serve() }()
	t.Cleanup(func() {
		h.post.Close()
		h.post.Hangup()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) dial() *handover.Link {
	h.t.Helper()
	l, err := handover.Dial(h.t.Context(), h.dir, handover.Options{
		Back:       func(c *net.TCPConn, read []byte, why handover.Reason) { h.backs <- returned{c, string(read), why} },
		Died:       func(bodies []handover.Body) { h.died <- bodies },
		Unanswered: func(method uint8, last bool) []byte { return fmt.Appendf(nil, "sorry %d %v\n", method, last) },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(l.Close)
	return l
}

// client gives both ends of a TCP connection.
func (h *house) client() (client net.Conn, server *net.TCPConn) {
	h.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		h.t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { client.Close(); c.Close() })
	_ = client.SetDeadline(time.Now().Add(patience))
	return client, c.(*net.TCPConn)
}

func await[T any](t *testing.T, from chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func line(t *testing.T, r io.Reader) string {
	t.Helper()
	text, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return text
}

// lend lends a new connection with "first" read of it.
func (h *house) lend(l *handover.Link) (net.Conn, *handover.Seat) {
	h.t.Helper()
	client, server := h.client()
	if err := l.Lend(server, 7, l.Epoch(), []byte("first")); err != nil {
		h.t.Fatal(err)
	}
	at := await(h.t, h.seats)
	if at.read != "first" || at.seat.Method != 7 {
		h.t.Errorf("method %d, read %q", at.seat.Method, at.read)
	}
	return client, at.seat
}

func say(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func answer(t *testing.T, s *handover.Seat, text string) {
	t.Helper()
	if err := s.WriteAnswer([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestLend_ThereAndBack(t *testing.T) {
	h := newHouse(t)
	l := h.dial()
	client, seat := h.lend(l)
	answer(t, seat, "answer\n")
	if got := line(t, client); got != "answer\n" {
		t.Errorf("the client got %q", got)
	}
	seat.Mark(handover.Idle)
	say(t, client, "second")
	buf := make([]byte, 100)
	n, err := seat.Read(buf)
	if err != nil || string(buf[:n]) != "second" {
		t.Fatalf("%q %v", buf[:n], err)
	}
	if err := seat.GiveBack(buf[:n], handover.Refused); err != nil {
		t.Fatal(err)
	}
	back := await(t, h.backs)
	if back.read != "second" || back.why != handover.Refused {
		t.Errorf("%+v", back)
	}
	say(t, back.conn, "from the daemon\n")
	if got := line(t, client); got != "from the daemon\n" {
		t.Errorf("the client got %q", got)
	}
	// And there again, in the same place.
	if err := l.Lend(back.conn, 7, l.Epoch(), []byte("first")); err != nil {
		t.Fatal(err)
	}
	await(t, h.seats).seat.Close()
	if got := line(t, client); got != "" {
		t.Errorf("the client got %q of a closed connection", got)
	}
}

func TestSeat_Holds(t *testing.T) {
	h := newHouse(t)
	l := h.dial()
	_, seat := h.lend(l)
	if !seat.Holds() {
		t.Error("the decision does not hold")
	}
	l.Recall()
	if seat.Holds() {
		t.Error("a recalled decision holds")
	}
	_, late := h.lend(l)
	if !late.Holds() {
		t.Error("a decision behind the recall does not hold")
	}
	if at := time.Now(); !l.Used().IsZero() {
		t.Error("used before it was")
	} else if late.Used(at); l.Used().Unix() != at.Unix() {
		t.Errorf("used at %s", l.Used())
	}
}

// A worker that dies leaves connections in every state.
func TestLink_WorkerDies(t *testing.T) {
	for name, test := range map[string]struct {
		leave  func(s *handover.Seat)
		want   string // what the client gets before the end, or before it goes on
		goesOn bool
	}{
		"idle":                       {func(s *handover.Seat) { s.Mark(handover.Idle) }, "", true},
		"reading":                    {func(s *handover.Seat) {}, "sorry 7 true\n", false},
		"running":                    {func(s *handover.Seat) { s.Run([]byte("body")) }, "sorry 7 false\n", true},
		"answering, nothing written": {func(s *handover.Seat) { s.Announce(7) }, "sorry 7 false\n", true},
		"answering, all written": {func(s *handover.Seat) {
			s.Mark(handover.Running)
			_ = s.WriteAnswer([]byte("answer\n"))
		}, "answer\n", true},
		"answering, a part written": {func(s *handover.Seat) {
			s.Announce(7)
			_, _ = s.Conn().Write([]byte("ans"))
		}, "ans", false},
		"answered and part of the next one read": {func(s *handover.Seat) { _ = s.WriteAnswer([]byte("answer\n")) }, "answer\nsorry 7 true\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			client, seat := h.lend(h.dial())
			test.leave(seat)
			h.post.Hangup()
			if ran := await(t, h.died); (len(ran) == 1 && ran[0] == handover.BodyOf([]byte("body"))) != (name == "running") {
				t.Errorf("with the worker ran %v", ran)
			}
			if test.goesOn {
				back := await(t, h.backs)
				say(t, back.conn, "on\n")
				test.want += "on\n"
			}
			got := make([]byte, len(test.want))
			if _, err := io.ReadFull(client, got); err != nil || string(got) != test.want {
				t.Errorf("the client got %q %v, want %q", got, err, test.want)
			}
			if !test.goesOn {
				if _, err := client.Read(got[:1]); err == nil {
					t.Error("the connection goes on")
				}
			}
		})
	}
}

// What waits in the socket of an idle connection is still there for the daemon.
func TestLink_WorkerDiesBeforeItReads(t *testing.T) {
	h := newHouse(t)
	client, seat := h.lend(h.dial())
	seat.Mark(handover.Idle)
	say(t, client, "next\n")
	h.post.Hangup()
	if got := line(t, await(t, h.backs).conn); got != "next\n" {
		t.Errorf("the daemon reads %q", got)
	}
}

// The worker goes on without a daemon, and gives connections to the next one.
func TestSeat_DaemonDies(t *testing.T) {
	h := newHouse(t)
	first := h.dial()
	client, seat := h.lend(first)
	seat.Mark(handover.Idle)
	first.Close()
	for seat.Holds() && seat.GiveBack([]byte("x"), handover.Changed) == nil {
		t.Fatal("given back to nobody")
	}
	if !seat.Holds() {
		t.Error("without a daemon nothing holds")
	}
	answer(t, seat, "still there\n")
	if got := line(t, client); got != "still there\n" {
		t.Errorf("the client got %q", got)
	}
	second := h.dial()
	_, other := h.lend(second) // it has greeted
	if seat.Holds() {
		t.Error("an earlier daemon's decision holds beside the next one's")
	}
	if !other.Holds() {
		t.Error("the next daemon's decision does not hold")
	}
	if err := seat.GiveBack([]byte("request"), handover.Changed); err != nil {
		t.Fatal(err)
	}
	back := await(t, h.backs)
	if back.read != "request" {
		t.Errorf("%+v", back)
	}
	say(t, back.conn, "the next daemon\n")
	if got := line(t, client); got != "the next daemon\n" {
		t.Errorf("the client got %q", got)
	}
}

func TestDial_WorkerWithoutPost(t *testing.T) {
	_, err := handover.Dial(t.Context(), t.TempDir(), handover.Options{})
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
}

func TestLend_ToTheDead(t *testing.T) {
	h := newHouse(t)
	l := h.dial()
	client, server := h.client()
	l.Close()
	if err := l.Lend(server, 1, 0, nil); err == nil {
		t.Fatal("lent")
	}
	say(t, server, "mine\n")
	if got := line(t, client); got != "mine\n" {
		t.Errorf("the client got %q", got)
	}
	if l.Epoch() != 0 || !l.Used().IsZero() {
		t.Error("a closed link knows something")
	}
	l.Recall()
}
