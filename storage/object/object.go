package object

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"maps"
	"time"

	"hearth/ml"
)

// Object is what is known of one object's live generation.
type Object struct {
	Bucket, Name string
	// Generation changes with the content, Metageneration with the attributes;
	// the latter begins at 1 with each generation.
	Generation, Metageneration int64
	// Size is in bytes.
	Size   int64
	CRC32C uint32
	// NoCRC32C says that CRC32C is not known: others wrote the object straight
	// to an S3 server.
	NoCRC32C bool
	// MD5 is nil for composed objects, and where it is not known.
	MD5 []byte
	// Components counts what a composed object was made of; 0 for others.
	Components int
	// Created is when this generation was written, Updated when anything of it
	// last changed. Both are UTC.
	Created, Updated time.Time
	Attributes
}

// Attributes is what clients may set on an object.
type Attributes struct {
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	CustomTime         time.Time         `json:"customTime,omitzero"`
	Metadata           map[string]string `json:"metadata,omitempty"`
}

// Clone gives a copy that shares nothing with a.
func (a Attributes) Clone() Attributes {
	a.Metadata = maps.Clone(a.Metadata)
	return a
}

// Bucket is what is known of a bucket. Location, StorageClass, Labels and Extra
// mean nothing here; they are kept for those who set them.
type Bucket struct {
	Name           string            `json:"name"`
	Metageneration int64             `json:"metageneration"`
	Created        time.Time         `json:"created"`
	Updated        time.Time         `json:"updated"`
	Location       string            `json:"location,omitempty"`
	StorageClass   string            `json:"storageClass,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	// Extra holds other fields by name, as JSON.
	Extra map[string]json.RawMessage `json:"extra,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksums is what a client says its content has. Nil fields say nothing.
type Checksums struct {
	CRC32C *uint32 `json:"crc32c,omitempty"`
	MD5    []byte  `json:"md5,omitempty"`
}

// Check gives INVALID_ARGUMENT if o has other checksums. What is not known of
// the object is taken as right.
func (c Checksums) Check(o *Object) error {
	if c.CRC32C != nil && !o.NoCRC32C && *c.CRC32C != o.CRC32C {
		return ml.Errorf(ml.InvalidArgument, "Provided CRC32C %q doesn't match calculated CRC32C %q.",
			FormatCRC32C(*c.CRC32C), FormatCRC32C(o.CRC32C))
	}
	if c.MD5 != nil && o.MD5 != nil && string(c.MD5) != string(o.MD5) {
		return ml.Errorf(ml.InvalidArgument, "Provided MD5 hash %q doesn't match calculated MD5 hash %q.",
			base64.StdEncoding.EncodeToString(c.MD5), base64.StdEncoding.EncodeToString(o.MD5))
	}
	return nil
}

// FormatCRC32C gives a checksum as Cloud Storage writes it: base64 of its four
// bytes, highest first.
func FormatCRC32C(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// ParseCRC32C reads what FormatCRC32C writes.
func ParseCRC32C(s string) (uint32, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}
