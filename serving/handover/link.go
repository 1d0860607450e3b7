package handover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options is what a Link tells its owner. All must be set.
type Options struct {
	// Back takes a connection that is the daemon's again, with what was read of the
	// next request, and why.
	Back func(c *net.TCPConn, read []byte, why Reason)
	// Died hears of the requests that ran when the worker died, before connections
	// are given back.
	Died func(bodies []Body)
	// Unanswered gives the whole HTTP answer to a request, asked by a method, whose
	// worker died; last says that it is to close the connection.
	Unanswered func(method uint8, last bool) []byte
}

// Link is the daemon's end of the way to one worker, for connections that it lends.
type Link struct {
	o    Options
	ch   channel
	done chan struct{}

	mu    sync.Mutex
	page  *page // nil once it is unmapped
	lent  map[uint32]lentConn
	free  []uint32
	next  uint32
	ended bool
}

// lentConn is the daemon's hold on a connection that a worker has.
type lentConn struct {
	fd     int
	method uint8
	// sent is how many bytes had been written on it before.
	sent    uint32
	counted bool // false if the kernel does not tell
}

// helloTime is how long opening a link may take.
const helloTime = 5 * time.Second

// Dial opens the link to the worker in a folder. A worker that knows nothing of
// links has no socket there: the error is fs.ErrNotExist.
func Dial(ctx context.Context, dir string, o Options) (*Link, error) {
	folder, addr, err := address(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	d := net.Dialer{Timeout: helloTime}
	c, err := d.DialContext(ctx, addr.Net, addr.Name)
	if err != nil {
		return nil, fmt.Errorf("connect to the worker in %s: %w", dir, err)
	}
	p, err := newPage()
	if err != nil {
		c.Close()
		return nil, err
	}
	l := &Link{o: o, ch: channel{conn: c.(*net.UnixConn)}, done: make(chan struct{}), page: p, lent: map[uint32]lentConn{}}
	err = l.ch.send(message{kind: hello, method: protocol}, nil, int(p.file.Fd()))
	p.file.Close()
	if err != nil {
		c.Close()
		p.unmap()
		return nil, fmt.Errorf("greet the worker in %s: %w", dir, err)
	}
	go l.run()
	return l, nil
}

// Epoch is the one that decisions made from now on belong to.
func (l *Link) Epoch() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.page == nil {
		return 0
	}
	return l.page.epoch()
}

// Recall makes connections that were lent come back, each with its next request.
// A request that begins after the return is not answered by what was decided
// before.
func (l *Link) Recall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.page != nil {
		l.page.nextEpoch()
	}
}

// Used gives when the worker last answered a request on a lent connection, zero if
// it never did.
func (l *Link) Used() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.page == nil || l.page.used() == 0 {
		return time.Time{}
	}
	return time.Unix(int64(l.page.used()), 0)
}

// Lent is how many connections the worker has.
func (l *Link) Lent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lent)
}

// Lend gives a connection to the worker with what was read of its next request,
// which was decided on in the epoch. Without an error c must not be used any more;
// with one nothing has changed.
func (l *Link) Lend(c *net.TCPConn, method uint8, epoch uint32, read []byte) error {
	fd, err := duplicate(c)
	if err != nil {
		return err
	}
	sent, counted := bytesWritten(fd)
	slot, err := l.enter(lentConn{fd, method, sent, counted})
	if err != nil {
		unix.Close(fd)
		return err
	}
	if err := l.ch.send(message{lend, slot, method, epoch}, read, fd); err != nil && l.leave(slot) {
		unix.Close(fd)
		return fmt.Errorf("lend a connection: %w", err)
	}
	// Closing takes it out of this process's poller, and leaves the connection to
	// those who have other descriptors of it.
	c.Close()
	return nil
}

func duplicate(c *net.TCPConn) (fd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	controlErr := raw.Control(func(s uintptr) { fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(controlErr, err)
}

var errNoRoom = errors.New("the worker has as many connections as it can")

func (l *Link) enter(c lentConn) (slot uint32, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch n := len(l.free); {
	case l.ended:
		return 0, net.ErrClosed
	case n > 0:
		slot, l.free = l.free[n-1], l.free[:n-1]
	case l.next == maxSeats:
		return 0, errNoRoom
	default:
		slot = l.next
		l.next++
	}
	l.page.setState(slot, Reading)
	l.page.store(slot, wordWritten, 0)
	l.page.store(slot, wordWanted, 0)
	l.lent[slot] = c
	return slot, nil
}

// leave takes a connection out that could not be lent; it is false if the end of
// the link has taken care of it already.
func (l *Link) leave(slot uint32) bool {
	_, ok := l.take(slot)
	return ok
}

func (l *Link) take(slot uint32) (lentConn, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.lent[slot]
	if ok {
		delete(l.lent, slot)
		l.free = append(l.free, slot)
	}
	return c, ok
}

// run takes what the worker sends until the link ends.
func (l *Link) run() {
	defer close(l.done)
	for {
		m, data, fd, err := l.ch.receive()
		if err != nil {
			l.end()
			return
		}
		switch m.kind {
		case back, refused, strayed, closed:
			if fd >= 0 {
				unix.Close(fd)
			}
			c, ok := l.take(m.slot)
			switch {
			case !ok:
			case m.kind == closed:
				unix.Close(c.fd)
			default:
				l.giveBack(c.fd, append([]byte(nil), data...), Reason(m.kind))
			}
		case orphan:
			l.giveBack(fd, append([]byte(nil), data...), Changed)
		}
	}
}

func (l *Link) giveBack(fd int, read []byte, why Reason) {
	if fd < 0 {
		return
	}
	// It fails if the client has reset the connection: there is nothing to return.
	if c, err := tcpOf(fd); err == nil {
		l.o.Back(c, read, why)
	}
}

// end takes the connections back from a worker that is gone, and answers what it
// has not answered.
func (l *Link) end() {
	l.ch.conn.Close()
	l.mu.Lock()
	lent, abandoned := l.lent, l.ended
	l.lent, l.ended = map[uint32]lentConn{}, true
	states := make(map[uint32]State, len(lent))
	var ran []Body
	for slot := range lent {
		if l.page.state(slot) == Running {
			ran = append(ran, Body{l.page.load(slot, wordSum), l.page.load(slot, wordSize)})
		}
		states[slot] = l.stateOf(slot, lent[slot])
	}
	l.page.unmap()
	l.page = nil
	l.mu.Unlock()
	if !abandoned {
		l.o.Died(ran)
	}
	for slot, c := range lent {
		if abandoned {
			unix.Close(c.fd) // the worker goes on with it
			continue
		}
		l.rescue(c, states[slot])
	}
}

// stateOf is how far a connection is whose worker is gone: the kernel knows whether
// an answer was written that the worker had no time to note. The caller holds mu.
func (l *Link) stateOf(slot uint32, c lentConn) State {
	s := l.page.state(slot)
	now, ok := bytesWritten(c.fd)
	if s != Answering || !ok || !c.counted {
		return s
	}
	switch written := now - c.sent; {
	case written == l.page.load(slot, wordWanted):
		return Idle
	case written == l.page.load(slot, wordWritten):
		return Running
	}
	return s
}

// bytesWritten is how many bytes have ever been written on a TCP connection: those
// that were acknowledged and those that are still in its queue.
func bytesWritten(fd int) (n uint32, ok bool) {
	for {
		before, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return 0, false
		}
		queued, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		if err != nil {
			return 0, false
		}
		after, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return 0, false
		}
		if before.Bytes_acked == after.Bytes_acked {
			return uint32(after.Bytes_acked) + uint32(queued), true
		}
	}
}

// rescue goes on with a connection where its worker left off.
func (l *Link) rescue(c lentConn, s State) {
	if s == Idle {
		l.giveBack(c.fd, nil, Changed)
		return
	}
	t, err := tcpOf(c.fd)
	if err != nil {
		return
	}
	if s == Running && l.apologize(t, c.method, false) {
		l.o.Back(t, nil, Changed)
		return
	}
	if s == Reading {
		l.apologize(t, c.method, true)
		// What the client still sends would turn the close into a reset, which
		// could overtake the answer.
		_ = t.CloseWrite()
		go drain(t)
		return
	}
	shut(t)
}

// apologyTime is how long a client may take to take such an answer.
const apologyTime = time.Second

func (l *Link) apologize(c *net.TCPConn, method uint8, last bool) bool {
	_ = c.SetWriteDeadline(time.Now().Add(apologyTime))
	_, err := c.Write(l.o.Unanswered(method, last))
	if err != nil {
		shut(c)
		return false
	}
	return c.SetWriteDeadline(time.Time{}) == nil
}

// drain reads what is still coming, within bounds, and closes.
func drain(c *net.TCPConn) {
	_ = c.SetReadDeadline(time.Now().Add(apologyTime))
	buf := make([]byte, 4<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			shut(c)
			return
		}
	}
}

// shut ends a connection for all who have a descriptor of it.
func shut(c *net.TCPConn) {
	if raw, err := c.SyscallConn(); err == nil {
		// It fails if the connection has ended already.
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
	c.Close()
}

// Close ends the link. The worker goes on with the connections that it has.
func (l *Link) Close() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.ch.conn.Close()
	<-l.done
}
