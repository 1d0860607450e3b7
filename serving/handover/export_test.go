package handover

import "net"

// Conn is the connection itself, for tests that break off in the middle.
func (s *Seat) Conn() net.Conn { return s.conn }

// Announce is the part of WriteAnswer in front of the writing.
func (s *Seat) Announce(n uint32) {
	s.line.page.store(s.slot, wordWanted, n)
	s.Mark(Answering)
}
