package api

import (
	"net"
	"sync"
)

// recordConn is what lies under a TLS connection. crypto/tls writes each record,
// of at most 16 KiB, with a system call of its own; where much is written at
// once, recordConn gathers the records and writes them together.
type recordConn struct {
	net.Conn
	mu        sync.Mutex
	gathering bool
	records   []byte
}

// gatherFrom is how many bytes a write must have for its records to be gathered.
const gatherFrom = 32 << 10

// maxGathered is how many bytes are kept at most before they are written.
const maxGathered = 512 << 10

// gathered gives room for the records of one connection. Few connections write
// much at the same time.
var gathered = sync.Pool{New: func() any { b := make([]byte, 0, maxGathered); return &b }}

// Write takes a record.
func (c *recordConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gathering {
		return c.Conn.Write(b)
	}
	if len(c.records)+len(b) > maxGathered {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	c.records = append(c.records, b...)
	return len(b), nil
}

// together calls write, whose records it writes together.
func (c *recordConn) together(write func() (int, error)) (int, error) {
	room := gathered.Get().(*[]byte)
	defer gathered.Put(room)
	c.mu.Lock()
	c.gathering, c.records = true, (*room)[:0]
	c.mu.Unlock()
	n, err := write()
	c.mu.Lock()
	defer c.mu.Unlock()
	flushed := c.flush()
	c.gathering, c.records = false, nil
	if err == nil && flushed != nil {
		return 0, flushed
	}
	return n, err
}

// flush writes what has been gathered. The caller holds mu.
func (c *recordConn) flush() error {
	if len(c.records) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.records)
	c.records = c.records[:0]
	return err
}
