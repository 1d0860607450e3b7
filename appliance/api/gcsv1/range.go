package gcsv1

import "strings"

// byteRange is a part of an object; it is empty if it cannot be satisfied.
type byteRange struct{ first, length int64 }

// parseRange reads a Range header for an object of size bytes. ok is false where
// the header is to be ignored: it is absent, malformed, or has several ranges.
func parseRange(s string, size int64) (r byteRange, ok bool) {
	spec, ok := strings.CutPrefix(s, "bytes=")
	a, b, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash {
		return r, false
	}
	if a == "" { // the last b bytes
		n, ok := digits(b)
		n = min(n, size)
		return byteRange{size - n, n}, ok
	}
	first, ok := digits(a)
	last := size - 1
	if ok && b != "" {
		if last, ok = digits(b); ok && last < first {
			return r, false
		}
		last = min(last, size-1)
	}
	if !ok || first >= size {
		return byteRange{}, ok
	}
	return byteRange{first, last - first + 1}, true
}
