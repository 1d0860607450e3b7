// Package tfrecord reads and writes TFRecord, TensorFlow's file of byte strings,
// one behind the other.
//
// A record is the length of its data (8 bytes, little endian), a checksum of
// these 8 bytes, the data, and a checksum of the data. A checksum is CRC-32C,
// rotated right by 15 bits plus a constant, so that the checksum of data which
// holds checksums is still a good one (tensorflow/core/lib/io/record_writer.cc).
package tfrecord

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// ErrCorrupt is in every error about a file that is not, or not to its end, made
// of records.
var ErrCorrupt = errors.New("not a whole TFRecord")

// What a record has before and behind its data, in bytes.
const (
	HeadSize = 12
	TailSize = 4
)

// Length gives how long the data of a record is whose head this is, false if it is
// no whole head.
func Length(head []byte) (int64, bool) {
	if len(head) < HeadSize || checksum(head[:8]) != binary.LittleEndian.Uint32(head[8:]) {
		return 0, false
	}
	length := int64(binary.LittleEndian.Uint64(head[:8]))
	return length, length >= 0
}

// Reader gives the records of a file in turn.
type Reader struct {
	r      io.Reader
	max    int
	offset int64 // of the next record
	buf    []byte
}

// NewReader reads from r, which should be buffered. A record of more than max
// bytes is an error, so that a damaged length costs no memory.
func NewReader(r io.Reader, max int) *Reader { return &Reader{r: r, max: max} }

// Offset is where the next record begins, in bytes from the beginning.
func (r *Reader) Offset() int64 { return r.offset }

// Next gives the next record, valid until the next call, and [io.EOF] behind the
// last one. An error with [ErrCorrupt] says where in the file it is; nothing can be
// read behind it. Others come from the underlying reader.
func (r *Reader) Next() ([]byte, error) {
	var head [HeadSize]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		if err == io.EOF {
			return nil, err
		}
		return nil, r.broken(err, "it ends in the middle of a length")
	}
	if checksum(head[:8]) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, r.corrupt("the checksum of the length is wrong")
	}
	length := binary.LittleEndian.Uint64(head[:8])
	if length > uint64(r.max) {
		return nil, r.corrupt(fmt.Sprintf("a record has %d bytes; at most %d can be read", length, r.max))
	}
	size := int(length) + TailSize
	if cap(r.buf) < size {
		r.buf = make([]byte, size)
	}
	r.buf = r.buf[:size]
	if _, err := io.ReadFull(r.r, r.buf); err != nil {
		return nil, r.broken(err, "it ends in the middle of a record")
	}
	data := r.buf[:length]
	if checksum(data) != binary.LittleEndian.Uint32(r.buf[length:]) {
		return nil, r.corrupt("the checksum of the data is wrong")
	}
	r.offset += int64(HeadSize + size)
	return data, nil
}

func (r *Reader) broken(err error, what string) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return r.corrupt(what)
	}
	return err
}

func (r *Reader) corrupt(what string) error {
	return fmt.Errorf("%w: %s (record at byte %d)", ErrCorrupt, what, r.offset)
}

// Append appends a record of the data to a file's content.
func Append(dst, data []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(data)))
	dst = binary.LittleEndian.AppendUint32(dst, checksum(dst[start:]))
	dst = append(dst, data...)
	return binary.LittleEndian.AppendUint32(dst, checksum(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}
