package handover

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readSize is the most bytes of a connection that the worker reads before it knows
// whether it answers the request.
const readSize = 64 << 10

// Seat is a connection that the worker has been lent. It is for one goroutine,
// [Seat.Interrupt] and [Seat.Abandon] excepted.
type Seat struct {
	// Method is what is asked on it.
	Method uint8

	post  *Post
	line  *line
	slot  uint32
	epoch uint32
	state State
	conn  *net.TCPConn
	raw   syscall.RawConn

	// The read under way.
	try   func(fd uintptr) bool
	buf   []byte
	n     int
	errno syscall.Errno
}

func newSeat(p *Post, l *line, m message, conn *net.TCPConn) (*Seat, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &Seat{Method: m.method, post: p, line: l, slot: m.slot, epoch: m.epoch, state: Reading, conn: conn, raw: raw}
	s.try = s.attempt
	return s, nil
}

// Mark tells the daemon how far the connection is. [Seat.Read] and
// [Seat.WriteAnswer] mark beginnings by themselves.
func (s *Seat) Mark(state State) {
	s.state = state
	s.line.page.setState(s.slot, state)
}

// Run marks that the request with this body, which has been read whole, runs, so that
// the daemon knows it should the worker die of it.
func (s *Seat) Run(body []byte) {
	b := BodyOf(body)
	s.line.page.store(s.slot, wordSum, b.Sum)
	s.line.page.store(s.slot, wordSize, b.Size)
	s.Mark(Running)
}

// Read reads what the client sends, as net.Conn's Read does.
func (s *Seat) Read(p []byte) (int, error) {
	s.buf, s.n, s.errno = p, 0, 0
	err := s.raw.Read(s.try)
	s.buf = nil
	switch {
	case err != nil:
		return 0, err
	case s.errno != 0:
		return 0, s.errno
	case s.n == 0:
		return 0, io.EOF
	}
	return s.n, nil
}

// attempt is called when there may be something to read, and says whether there
// was. Where the connection is idle it looks, marks and only then reads: a worker
// that dies in between has taken nothing that the daemon does not know of.
func (s *Seat) attempt(fd uintptr) bool {
	if s.state == Idle {
		var one [1]byte
		n, errno := receive(fd, one[:], unix.MSG_PEEK)
		if errno == unix.EAGAIN {
			return false
		}
		if errno != 0 || n == 0 {
			s.errno = errno
			return true
		}
		s.Mark(Reading)
	}
	n, errno := receive(fd, s.buf, 0)
	if errno == unix.EAGAIN {
		return false
	}
	s.n, s.errno = n, errno
	return true
}

// receive takes what is there without waiting. A raw system call: an ordinary one
// would tell Go's scheduler each time that the thread may block.
func receive(fd uintptr, p []byte, flags uintptr) (n int, errno syscall.Errno) {
	for {
		r, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), flags|unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return int(r), errno
		}
	}
}

// WriteAnswer writes an answer, or what is left to say before the end. If part of
// the next request has been read already, the state must be Reading and stays so:
// the daemon could not go on behind the answer.
func (s *Seat) WriteAnswer(p []byte) error {
	page, written := s.line.page, s.line.page.load(s.slot, wordWritten)
	page.store(s.slot, wordWanted, written+uint32(len(p)))
	if s.state != Reading {
		s.Mark(Answering)
	}
	if _, err := s.conn.Write(p); err != nil {
		return err
	}
	page.store(s.slot, wordWritten, written+uint32(len(p)))
	return nil
}

// Abandon says a last word to a client whose request still runs, and ends its side of
// the connection. The daemon still takes the request for running, should the worker die
// of it. Unlike the rest it may be called beside the goroutine that runs it.
func (s *Seat) Abandon(answer []byte) {
	_ = s.conn.SetWriteDeadline(time.Now().Add(apologyTime))
	// A client that does not take it has gone.
	_, _ = s.conn.Write(answer)
	_ = s.conn.CloseWrite()
}

// SetReadDeadline is net.Conn's.
func (s *Seat) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// Interrupt ends the read under way, and all later ones.
func (s *Seat) Interrupt() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) }

// Holds says whether what the daemon decided when it lent the connection still
// holds. While there is no daemon it does.
func (s *Seat) Holds() bool {
	if s.line.gone.Load() {
		return s.post.current() == nil
	}
	return s.line.page.epoch() == s.epoch
}

// Used notes the time of a request.
func (s *Seat) Used(t time.Time) { s.line.page.setUsed(uint32(t.Unix())) }

// errNobody says that there is no daemon to take a connection.
var errNobody = errors.New("the server is not running")

// GiveBack returns the connection to the daemon with what was read of its next
// request. With an error the seat is still the caller's.
func (s *Seat) GiveBack(read []byte, why Reason) error {
	if !s.line.gone.Load() {
		if err := s.line.ch.send(message{kind: kind(why), slot: s.slot}, read, -1); err == nil {
			s.conn.Close() // the daemon has it too
			return nil
		}
	}
	// The daemon that lent it is gone; the one that followed has no descriptor.
	to := s.post.current()
	if to == nil {
		return errNobody
	}
	var sent error
	err := s.raw.Control(func(fd uintptr) { sent = to.ch.send(message{kind: orphan}, read, int(fd)) })
	if err = errors.Join(err, sent); err != nil {
		return err
	}
	s.conn.Close()
	return nil
}

// Close ends the connection.
func (s *Seat) Close() {
	shut(s.conn)
	if !s.line.gone.Load() {
		// If it fails the daemon is gone, and its descriptor with it.
		_ = s.line.ch.send(message{kind: closed, slot: s.slot}, nil, -1)
	}
}
