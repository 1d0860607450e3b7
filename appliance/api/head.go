package api

import (
	"bytes"
	"crypto/tls"
	"regexp"
)

// headConn takes "Transfer-Encoding: identity" out of the first request of a
// TLS connection. TensorFlow's client sends it with every POST, and net/http
// answers 501 to it before any handler runs. That client makes one request per
// connection, so the first head is enough.
type headConn struct {
	*tls.Conn
	records *recordConn
	link    *link
	// head is what has been read and not yet been given on; err is how reading
	// it ended.
	head []byte
	err  error
	done bool
}

func (c *headConn) known() *link { return c.link }

// Read gives the connection's bytes, the first head without the header.
func (c *headConn) Read(b []byte) (int, error) {
	if !c.done {
		c.readHead()
	}
	switch {
	case len(c.head) > 0:
		n := copy(b, c.head)
		c.head = c.head[n:]
		return n, nil
	case c.err != nil:
		return 0, c.err
	}
	return c.Conn.Read(b)
}

// Write writes much with few system calls.
func (c *headConn) Write(b []byte) (int, error) {
	if len(b) < gatherFrom {
		return c.Conn.Write(b)
	}
	return c.records.together(func() (int, error) { return c.Conn.Write(b) })
}

var (
	headEnd          = []byte("\r\n\r\n")
	identityEncoding = regexp.MustCompile(`(?i)\r\nTransfer-Encoding:[ \t]*identity[ \t]*\r\n`)
)

// readHead reads up to the first empty line. A head that is too long is left
// to net/http to refuse.
func (c *headConn) readHead() {
	c.done = true
	chunk := make([]byte, 4<<10)
	end := -1
	for end < 0 && len(c.head) <= maxHeaderBytes && c.err == nil {
		var n int
		n, c.err = c.Conn.Read(chunk)
		seen := max(0, len(c.head)-len(headEnd))
		c.head = append(c.head, chunk[:n]...)
		if i := bytes.Index(c.head[seen:], headEnd); i >= 0 {
			end = seen + i + len("\r\n")
		}
	}
	if end < 0 {
		return
	}
	clean := identityEncoding.ReplaceAll(c.head[:end], []byte("\r\n"))
	c.head = append(clean, c.head[end:]...)
}
