package object

import (
	"crypto/md5"
	"encoding"
	"hash"
	"hash/crc32"
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
