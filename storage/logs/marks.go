package logs

import (
	"bufio"
	"errors"
	"io"

	"hearth/ml"
)

// marks is a log.idx. Times and sizes in it never go down.
type marks struct {
	src source
	n   int64
}

func newMarks(src source) marks { return marks{src, src.Size() / ml.LogMarkSize} }

func (m marks) at(i int64) (ml.LogMark, error) {
	var b [ml.LogMarkSize]byte
	if _, err := m.src.ReadAt(b[:], i*ml.LogMarkSize); err != nil {
		return ml.LogMark{}, err
	}
	return ml.ParseLogMark(b[:]), nil
}

// sizeBefore gives the size that the stream had at the mark before the ith, 0
// if there is none.
func (m marks) sizeBefore(i int64, stream int) (int64, error) {
	if i == 0 {
		return 0, nil
	}
	mark, err := m.at(i - 1)
	return sizeIn(mark, stream), err
}

// first finds the first mark that matches by halving; n if none does. Marks
// after one that matches must match too.
func (m marks) first(match func(ml.LogMark) bool) (int64, error) {
	low, high := int64(0), m.n
	for low < high {
		mid := (low + high) / 2
		mark, err := m.at(mid)
		if err != nil {
			return 0, err
		}
		if match(mark) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low, nil
}

// markReader reads marks one after the other.
type markReader struct {
	r    *bufio.Reader
	mark ml.LogMark
	ok   bool
}

func (m marks) from(i int64) *markReader {
	rest := io.NewSectionReader(m.src, i*ml.LogMarkSize, (m.n-i)*ml.LogMarkSize)
	return &markReader{r: bufio.NewReader(rest)}
}

// reach goes on to the first mark by which the stream had the size; false if
// there is none yet.
func (r *markReader) reach(stream int, size int64) (bool, error) {
	for !r.ok || sizeIn(r.mark, stream) < size {
		var b [ml.LogMarkSize]byte
		if _, err := io.ReadFull(r.r, b[:]); err != nil {
			if errors.Is(err, io.EOF) {
				r.ok = false
				return false, nil
			}
			return false, err
		}
		r.mark, r.ok = ml.ParseLogMark(b[:]), true
	}
	return true, nil
}

// The streams of a process, as they appear in InsertIDs.
const (
	streamStdout = iota
	streamStderr
)

func sizeIn(m ml.LogMark, stream int) int64 {
	if stream == streamStdout {
		return m.Stdout
	}
	return m.Stderr
}
