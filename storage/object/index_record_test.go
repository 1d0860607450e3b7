package object

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var records = []*record{
	{Created: time.UnixMicro(0).UTC(), Updated: time.UnixMicro(0).UTC()},
	{
		Generation: 1 << 60, Metageneration: 7, Size: 1 << 50, CRC32C: 0xdeadbeef, MD5: []byte("0123456789abcdef"), Components: 3, Created: now(), Updated: now(),
		Path: "a/b ü", Attributes: Attributes{ContentType: "t/t", ContentEncoding: "gzip", CacheControl: "no-store", Metadata: map[string]string{"K": "v"}},
	},
	{Generation: 7, Created: now(), Updated: now(), Path: "a/b", Modified: 1 << 60, Attributes: Attributes{ContentType: "t/t"}},
	{
		Generation: 7, Created: now(), Updated: now(), Path: "a/b", ETag: "0123-4", Sidecar: true, NoCRC32C: true, Attributes: Attributes{ContentType: "t/t", StorageClass: "NEARLINE"},
	},
}

func TestRecord_RoundTrip(t *testing.T) {
	for _, r := range records {
		b, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, got); d != "" {
			t.Error(d)
		}
		for i := range b {
			if _, err := decodeRecord(b[:i]); err == nil && i < 20 {
				t.Errorf("the first %d bytes of %q are taken for a record", i, b)
			}
		}
	}
}

func FuzzRecord(f *testing.F) {
	for _, r := range records {
		b, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		if _, err := r.encode(); err != nil {
			t.Fatal(err)
		}
	})
}
