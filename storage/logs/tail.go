package logs

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"hearth/ml"
)

// maxTail is how much of the end of a file Tail looks at, in bytes.
const maxTail = 256 << 10

// Tail returns the last lines of what the process ATTEMPT/TASK wrote to
// stderr, as a terminal would show them, joined by line ends: a traceback, for
// a job that failed. It reads from the end, at most 256 KiB. A process that
// wrote nothing has an empty tail.
func (s *Store) Tail(process string, lines int) (string, error) {
	text, err := s.tail(filepath.Join(s.dir, process, ml.FileStderr), lines)
	if err != nil {
		return "", fmt.Errorf("read the end of the log of %s: %w", process, err)
	}
	return text, nil
}

func (s *Store) tail(path string, lines int) (_ string, err error) {
	src, err := s.open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = src.Close() }() // only read from
	start, err := tailStart(src, lines)
	if err != nil {
		return "", err
	}
	r := newLineReader(src, start, src.Size(), true)
	var shown []string
	for {
		kind, err := r.read()
		if err != nil {
			return "", err
		}
		if kind == lineNone {
			break
		}
		shown = append(shown, r.text())
	}
	return strings.Join(shown[max(0, len(shown)-lines):], "\n"), nil
}

// tailStart finds where the last lines begin.
func tailStart(src source, lines int) (int64, error) {
	size := src.Size()
	buf := make([]byte, 4<<10)
	for off := size; off > 0 && size-off < maxTail; {
		n := min(int64(len(buf)), off)
		off -= n
		if _, err := src.ReadAt(buf[:n], off); err != nil {
			return 0, err
		}
		for i := n; i > 0; {
			if i = int64(bytes.LastIndexByte(buf[:i], '\n')); i < 0 {
				break
			}
			// A line end at the very end ends the last line.
			if off+i+1 == size {
				continue
			}
			if lines--; lines == 0 {
				return off + i + 1, nil
			}
		}
	}
	return max(0, size-maxTail), nil
}
