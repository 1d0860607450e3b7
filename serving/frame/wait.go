package frame

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// eagerWait is how long a read looks for data before it lets its thread sleep,
// if the last wait was shorter than that. Waking a thread on another processor
// costs 50 µs and more on virtual machines, several times what a small model's
// run takes; a connection in steady use is spared that, and one that is not
// costs nothing.
const eagerWait = 150 * time.Microsecond

// looking counts the reads of this process that look; one at a time may, so
// that waiting never takes more than one processor.
var looking atomic.Int32

// waiter reads what comes first on a connection.
type waiter struct {
	raw syscall.RawConn
	// try is attempt as a value: made anew for each read it would be garbage.
	try   func(fd uintptr) bool
	eager bool

	// The read under way.
	buf    []byte
	n      int
	errno  syscall.Errno
	began  time.Time
	looked bool
}

func newWaiter(raw syscall.RawConn) *waiter {
	w := &waiter{raw: raw}
	w.try = w.attempt
	return w
}

// read waits for data and reads it, as net.Conn's Read does; 0 is the end.
func (w *waiter) read(buf []byte) (int, error) {
	w.buf, w.n, w.errno, w.looked, w.began = buf, 0, 0, false, time.Now()
	err := w.raw.Read(w.try)
	w.buf = nil
	if err == nil && w.errno != 0 {
		err = w.errno
	}
	w.eager = time.Since(w.began) < eagerWait
	return w.n, err
}

// attempt is called with the descriptor when there may be something to read,
// and says whether there was.
func (w *waiter) attempt(fd uintptr) bool {
	if w.receive(fd) {
		return true
	}
	if w.looked || !w.eager || runtime.GOMAXPROCS(0) < 2 || !looking.CompareAndSwap(0, 1) {
		return false
	}
	w.looked = true
	defer looking.Store(0)
	for time.Since(w.began) < eagerWait {
		if w.receive(fd) {
			return true
		}
	}
	return false
}

// receive takes what is there without waiting. A raw system call: an ordinary
// one would tell Go's scheduler each time that the thread may block.
func (w *waiter) receive(fd uintptr) bool {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&w.buf[0])), uintptr(len(w.buf)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		case 0:
			w.n = int(n)
			return true
		default:
			w.errno = errno
			return true
		}
	}
}
