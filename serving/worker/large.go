package worker

import "sync"

// maxLarge is the size up to which a buffer is kept for other requests.
const maxLarge = 8 << 20

// large are buffers that connections had for single requests. To make them anew would
// cost a request of a megabyte a millisecond: it is new memory, and the garbage of
// that calls the collector.
var large sync.Pool

// getLarge gives a buffer of at least n bytes, nil if there is none at hand.
func getLarge(n int) []byte {
	b, ok := large.Get().(*[]byte)
	if !ok || cap(*b) < n {
		return nil
	}
	return (*b)[:cap(*b)]
}

func putLarge(b []byte) {
	if cap(b) <= maxLarge {
		large.Put(&b)
	}
}
