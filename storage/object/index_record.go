package object

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// record is an Object as the index keeps it; its key says bucket and name.
type record struct {
	Generation     int64     `json:"generation"`
	Metageneration int64     `json:"metageneration"`
	Size           int64     `json:"size"`
	CRC32C         uint32    `json:"crc32c"`
	MD5            []byte    `json:"md5,omitempty"`
	Components     int       `json:"components,omitempty"`
	Created        time.Time `json:"created"`
	Updated        time.Time `json:"updated"`
	// Path is where the content is: a file, relative to the bucket's folder, or
	// a key of the bucket on an S3 server.
	Path string `json:"path"`
	Attributes
	// Modified is the time of the file, in nanoseconds since 1970; 0 where it is
	// not known.
	Modified int64 `json:"modified,omitempty"`
	// What only objects on an S3 server have: the ETag by which the server knows
	// this content, and whether a sidecar says what its own metadata cannot.
	ETag     string `json:"etag,omitempty"`
	Sidecar  bool   `json:"sidecar,omitempty"`
	NoCRC32C bool   `json:"noCRC32C,omitempty"`
}

func (r *record) object(bucket, name string) *Object {
	return &Object{
		Bucket: bucket, Name: name, Generation: r.Generation, Metageneration: r.Metageneration, Size: r.Size,
		CRC32C: r.CRC32C, NoCRC32C: r.NoCRC32C, MD5: r.MD5, Components: r.Components, Created: r.Created, Updated: r.Updated, Attributes: r.Attributes,
	}
}

// The first byte of an encoded record says what follows: s3Version is a record
// of an object on an S3 server, fileVersion one with the time of the file.
const (
	recordVersion = 1
	s3Version     = 2
	fileVersion   = 3
)

// Flags of a record of s3Version.
const (
	flagSidecar = 1 << iota
	flagNoCRC32C
)

// encode gives a record's bytes. Listings decode thousands of them at a time,
// so what every object has is binary: the version, then as varints generation,
// metageneration, size, components, and the microseconds since 1970 of created
// and updated; the crc32c in four bytes, lowest first; md5, path and content
// type, each behind its length. Of an object on an S3 server the flags, as a
// varint, and the ETag behind its length come next; of one in a file its time.
// JSON of the other attributes follows if there are any.
func (r *record) encode() ([]byte, error) {
	b := make([]byte, 0, 160)
	b = append(b, r.version())
	for _, n := range []int64{r.Generation, r.Metageneration, r.Size, int64(r.Components), r.Created.UnixMicro(), r.Updated.UnixMicro()} {
		b = binary.AppendVarint(b, n)
	}
	b = binary.LittleEndian.AppendUint32(b, r.CRC32C)
	for _, s := range []string{string(r.MD5), r.Path, r.ContentType} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	switch r.version() {
	case s3Version:
		b = binary.AppendVarint(b, r.flags())
		b = append(binary.AppendUvarint(b, uint64(len(r.ETag))), r.ETag...)
	case fileVersion:
		b = binary.AppendVarint(b, r.Modified)
	}
	rest := r.Attributes
	rest.ContentType = ""
	tail, err := json.Marshal(rest)
	if err != nil {
		return nil, err
	}
	if len(tail) > len("{}") {
		b = append(b, tail...)
	}
	return b, nil
}

func (r *record) version() byte {
	switch {
	case r.ETag != "":
		return s3Version
	case r.Modified != 0:
		return fileVersion
	}
	return recordVersion
}

func (r *record) flags() (f int64) {
	if r.Sidecar {
		f |= flagSidecar
	}
	if r.NoCRC32C {
		f |= flagNoCRC32C
	}
	return f
}

var errRecord = errors.New("the objects' index has a record that cannot be read")

// decodeRecord reads what encode made. The record shares nothing with b.
func decodeRecord(b []byte) (*record, error) {
	if len(b) == 0 || b[0] < recordVersion || b[0] > fileVersion {
		return nil, errRecord
	}
	d := decoder{b: b[1:]}
	r := record{Generation: d.varint(), Metageneration: d.varint(), Size: d.varint(), Components: int(d.varint())}
	r.Created, r.Updated = time.UnixMicro(d.varint()).UTC(), time.UnixMicro(d.varint()).UTC()
	if crc := d.take(4); crc != nil {
		r.CRC32C = binary.LittleEndian.Uint32(crc)
	}
	if md5 := d.counted(); len(md5) > 0 {
		r.MD5 = append([]byte(nil), md5...)
	}
	r.Path = string(d.counted())
	contentType := string(d.counted())
	switch b[0] {
	case s3Version:
		flags := d.varint()
		r.Sidecar, r.NoCRC32C = flags&flagSidecar != 0, flags&flagNoCRC32C != 0
		r.ETag = string(d.counted())
	case fileVersion:
		r.Modified = d.varint()
	}
	if d.bad {
		return nil, errRecord
	}
	if len(d.b) > 0 {
		if err := json.Unmarshal(d.b, &r.Attributes); err != nil {
			return nil, fmt.Errorf("%w: %w", errRecord, err)
		}
	}
	r.ContentType = contentType
	return &r, nil
}

// decoder takes values off the front of b; bad says that one was not there.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.b)
	d.skip(size)
	return n
}

func (d *decoder) counted() []byte {
	n, size := binary.Uvarint(d.b)
	d.skip(size)
	return d.take(n)
}

func (d *decoder) skip(size int) {
	if size <= 0 {
		d.bad = true
		return
	}
	d.b = d.b[size:]
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}
