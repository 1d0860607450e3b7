package client

import "io"

// Progress hears how many bytes more of a transfer are done: done now, or
// skipped because an earlier run has done them. It may be nil, and is called by
// several goroutines.
type Progress func(n int64, skipped bool)

func (p Progress) count(n int64) {
	if p != nil {
		p(n, false)
	}
}

func (p Progress) skip(n int64) {
	if p != nil {
		p(n, true)
	}
}

// countingReader tells of the bytes that are read.
type countingReader struct {
	io.Reader
	progress Progress
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.progress.count(int64(n))
	return n, err
}
