package frame

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// keepBuffer is the size of the read buffer that a connection keeps for its
// life, and of the largest frame that is copied together for one write.
// Frames beyond it borrow from largeBuffers and are written with writev.
const keepBuffer = 32 << 10

// largeBuffers holds buffers of frames larger than keepBuffer.
var largeBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Conn sends and receives frames on a stream connection.
type Conn struct {
	conn  *net.UnixConn
	wait  *waiter
	in    []byte
	out   []byte
	large *[]byte
}

// NewConn makes a Conn of a connection that nobody else reads or writes.
func NewConn(c *net.UnixConn) (*Conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		c.Close()
		return nil, err
	}
	return &Conn{conn: c, wait: newWaiter(raw)}, nil
}

// Write sends a frame. It gives [ErrTooLarge], before anything is sent, for a
// frame beyond the bounds.
func (c *Conn) Write(f Frame) error {
	if len(f.Head) > MaxHead || len(f.Body) > MaxBody {
		return fmt.Errorf("%w: a head of %d and a body of %d bytes", ErrTooLarge, len(f.Head), len(f.Body))
	}
	c.out = appendHeader(c.out[:0], &f)
	c.out = append(c.out, f.Head...)
	if len(c.out)+len(f.Body) <= keepBuffer {
		c.out = append(c.out, f.Body...)
		_, err := c.conn.Write(c.out)
		return err
	}
	parts := net.Buffers{c.out, f.Body}
	_, err := parts.WriteTo(c.conn)
	return err
}

// Read receives a frame. Its Head and Body are valid until the next Read,
// [Conn.Release] or Close. The error is io.EOF if the peer closed the
// connection before the first byte of a frame.
func (c *Conn) Read() (Frame, error) {
	c.Release()
	if c.in == nil {
		c.in = make([]byte, keepBuffer)
	}
	var f Frame
	n, err := c.readHeader()
	if err != nil {
		return f, err
	}
	head, body, err := parseHeader(c.in, &f)
	if err != nil {
		return f, err
	}
	size := headerSize + head + body
	if n > size {
		return f, fmt.Errorf("%w: %d bytes behind it", ErrMalformed, n-size)
	}
	b := c.in
	if size > len(b) {
		b = c.borrow(size)
		copy(b, c.in[:n])
	}
	if _, err := io.ReadFull(c.conn, b[n:size]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return f, err
	}
	f.Head = b[headerSize : headerSize+head : headerSize+head]
	f.Body = b[headerSize+head : size : size]
	return f, nil
}

// readHeader reads at least a header into c.in.
func (c *Conn) readHeader() (int, error) {
	n, err := c.wait.read(c.in)
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	case n >= headerSize:
		return n, nil
	}
	more, err := io.ReadAtLeast(c.conn, c.in[n:], headerSize-n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n + more, err
}

func (c *Conn) borrow(size int) []byte {
	c.large = largeBuffers.Get().(*[]byte)
	if cap(*c.large) < size {
		*c.large = make([]byte, size)
	}
	return (*c.large)[:size]
}

// Release gives back what a large frame borrowed; the frame that was read last
// is no longer valid.
func (c *Conn) Release() {
	if c.large != nil {
		largeBuffers.Put(c.large)
		c.large = nil
	}
}

// SetReadDeadline bounds the reads under way and those to come. It may be
// called from any goroutine.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetDeadline bounds the reads and writes under way and those to come. It may
// be called from any goroutine.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// Close closes the connection. It may be called from any goroutine.
func (c *Conn) Close() error { return c.conn.Close() }
