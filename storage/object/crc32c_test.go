package object

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

func TestJoinCRC32C(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b := make([]byte, rnd.IntN(5000))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		cut := rnd.IntN(len(b) + 1)
		first, second := crc32.Checksum(b[:cut], castagnoli), crc32.Checksum(b[cut:], castagnoli)
		if got, want := joinCRC32C(first, second, int64(len(b)-cut)), crc32.Checksum(b, castagnoli); got != want {
			t.Fatalf("%d and %d bytes: %08x, want %08x", cut, len(b)-cut, got, want)
		}
	}
}
