package object

import (
	"crypto/md5"
	"encoding"
	"hash"
	"hash/crc32"
	"sync"
)

// sums is size and checksums of some content.
type sums struct {
	size   int64
	crc32c uint32
	md5    []byte
}

// digest computes sums.
type digest struct {
	size int64
	crc  uint32
	md5  hash.Hash // nil if it cannot be known any more
}

func newDigest() *digest { return &digest{md5: md5.New()} }

func (d *digest) Write(p []byte) (int, error) {
	d.crc = crc32.Update(d.crc, castagnoli, p)
	if d.md5 != nil {
		_, _ = d.md5.Write(p) // hashes never fail
	}
	d.size += int64(len(p))
	return len(p), nil
}

// join adds content that is not seen, but whose CRC32C is known. Afterwards there
// is no MD5.
func (d *digest) join(crc uint32, size int64) {
	d.crc, d.md5 = joinCRC32C(d.crc, crc, size), nil
	d.size += size
}

func (d *digest) sums() sums {
	s := sums{size: d.size, crc32c: d.crc}
	if d.md5 != nil {
		s.md5 = d.md5.Sum(nil)
	}
	return s
}

// state is what resumeDigest needs to go on with an MD5.
func (d *digest) state() ([]byte, error) { return d.md5.(encoding.BinaryMarshaler).MarshalBinary() }

// resumeDigest gives a digest of size bytes whose content is gone.
func resumeDigest(size int64, crc uint32, state []byte) (*digest, error) {
	d := newDigest()
	if size == 0 {
		return d, nil
	}
	d.size, d.crc = size, crc
	return d, d.md5.(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
}

const copyBuffer = 256 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}

// follower computes a digest beside the one who reads and writes the content: an
// MD5 takes as long as all the rest. It lends out the buffers, and has each back
// when it was summed up.
type follower struct {
	d     *digest
	free  chan *[]byte
	full  chan filled
	ended chan struct{} // nil before there is anything to follow
	seen  bool
}

// filled is a buffer with n bytes of content.
type filled struct {
	b *[]byte
	n int
}

// lent is how many buffers a follower has.
const lent = 4

// follow begins to sum up what is to come.
func (d *digest) follow() *follower {
	f := &follower{d: d, free: make(chan *[]byte, lent), full: make(chan filled, lent)}
	f.free <- buffers.Get().(*[]byte)
	return f
}

// buffer gives one to fill. It comes back with add.
func (f *follower) buffer() *[]byte { return <-f.free }

// add sums up the first n bytes of a buffer. A single one, as most objects are, is
// not worth a goroutine.
func (f *follower) add(b *[]byte, n int) {
	if !f.seen {
		_, _ = f.d.Write((*b)[:n])
		f.free <- b
		f.seen = n > 0
		return
	}
	if f.ended == nil {
		f.ended = make(chan struct{})
		for range lent - 1 {
			f.free <- buffers.Get().(*[]byte)
		}
		go f.run()
	}
	f.full <- filled{b, n}
}

func (f *follower) run() {
	defer close(f.ended)
	for c := range f.full {
		_, _ = f.d.Write((*c.b)[:c.n])
		f.free <- c.b
	}
}

// end returns when all is summed up. last is the buffer that was not added.
func (f *follower) end(last *[]byte) {
	buffers.Put(last)
	close(f.full)
	if f.ended != nil {
		<-f.ended
	}
	for len(f.free) > 0 {
		buffers.Put(<-f.free)
	}
}
