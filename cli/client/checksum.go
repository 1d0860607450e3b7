package client

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"hearth/ml"
)

// castagnoli is the polynomial of the checksums in Cloud Storage's answers.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is a CRC32C.
type Checksum uint32

// ChecksumOf reads r to its end.
func ChecksumOf(r io.Reader) (Checksum, error) {
	h := crc32.New(castagnoli)
	_, err := io.Copy(h, r)
	return Checksum(h.Sum32()), err
}

// String writes a checksum as Cloud Storage does: base64 of its four bytes,
// highest first.
func (s Checksum) String() string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, uint32(s)))
}

// followedBy gives the checksum of a content of which s is the first part's and
// next that of the remaining n bytes. A CRC is the remainder of a division of
// polynomials: the first part counts as if n zero bytes stood behind it.
func (s Checksum) followedBy(next Checksum, n int64) Checksum {
	// The highest bit stands for x^0, so this is x^8: one byte further.
	power, step := uint32(1)<<31, uint32(1)<<23
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			power = timesModulo(power, step)
		}
		step = timesModulo(step, step)
	}
	return Checksum(timesModulo(power, uint32(s))) ^ next
}

// timesModulo multiplies two polynomials modulo that of CRC32C.
func timesModulo(a, b uint32) uint32 {
	var product uint32
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry == 1 {
			b ^= crc32.Castagnoli
		}
	}
	return product
}

// checkHash compares a checksum with what an answer's headers say of the whole
// object. DATA_LOSS if they say another one.
func (s Checksum) checkHash(h http.Header, what Object) error {
	for _, header := range h.Values("X-Goog-Hash") {
		for hash := range strings.SplitSeq(header, ",") {
			if got, ok := strings.CutPrefix(strings.TrimSpace(hash), "crc32c="); ok {
				if err := s.check(got, what); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// check compares a checksum with that of an object in the server's spelling;
// empty where the server has none.
func (s Checksum) check(got string, what Object) error {
	if got == "" || got == s.String() {
		return nil
	}
	return ml.Errorf(ml.DataLoss, "%s arrived damaged: its checksum is %s, not %s", what.URI(), s, got)
}

// section is the part of a local file that becomes one object.
type section struct {
	file       io.ReaderAt
	from, size int64
}

// after gives what is left of a section behind its first n bytes.
func (s section) after(n int64) *io.SectionReader {
	return io.NewSectionReader(s.file, s.from+n, s.size-n)
}

func (s section) checksum() (Checksum, error) {
	sum, err := ChecksumOf(s.after(0))
	if err != nil {
		return 0, fmt.Errorf("read what is to be uploaded: %w", err)
	}
	return sum, nil
}
