package logs

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// bufferSize is how much of a file is read at a time.
const bufferSize = 32 << 10

// lineKind says what lineReader has read.
type lineKind int

const (
	lineNone  lineKind = iota // nothing more that is complete
	lineWhole                 // up to a line end
	linePart                  // as much of a long line as one entry holds
	lineLast                  // the rest of a finished file, without a line end
)

// lineReader cuts a part of a file into entries: lines, and pieces of very
// long ones. Where a piece ends depends only on where its line begins.
type lineReader struct {
	pos, limit int64
	// need is the size of the file from which on the entry just read could be
	// read: for a line its end, for a piece the character after it, which shows
	// that the line is too long.
	need    int64
	whole   bool // nothing will be added behind limit
	r       *bufio.Reader
	term    terminal
	plain   []byte // the line, if it needs no terminal
	isPlain bool
}

func newLineReader(src source, start, limit int64, whole bool) lineReader {
	part := io.NewSectionReader(src, start, limit-start)
	return lineReader{pos: start, limit: limit, whole: whole, r: bufio.NewReaderSize(part, bufferSize)}
}

// read reads one entry's bytes; text gives what they show.
func (l *lineReader) read() (lineKind, error) {
	l.term.reset()
	l.isPlain = false
	for start := l.pos; ; {
		chunk, err := l.peek()
		if err != nil {
			return lineNone, err
		}
		if len(chunk) == 0 {
			if l.whole && l.pos > start {
				return lineLast, nil
			}
			return lineNone, nil
		}
		end := bytes.IndexByte(chunk, '\n')
		body := chunk
		if end >= 0 {
			body = chunk[:end]
			if l.pos == start && isPlain(body) {
				l.plain, l.isPlain = append(l.plain[:0], body...), true
				return lineWhole, l.finish(end + 1)
			}
		}
		n, full := l.term.write(body)
		if err := l.advance(n); err != nil {
			return lineNone, err
		}
		if full {
			l.need = l.pos + decidable(body[n:])
			return linePart, nil
		}
		if end >= 0 {
			return lineWhole, l.finish(1)
		}
	}
}

// peek gives some bytes, without an incomplete character at the end unless
// nothing will follow it.
func (l *lineReader) peek() ([]byte, error) {
	if l.r.Buffered() < utf8.UTFMax {
		if _, err := l.r.Peek(utf8.UTFMax); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	chunk, err := l.r.Peek(l.r.Buffered())
	if err != nil {
		return nil, err
	}
	if l.whole && l.pos+int64(len(chunk)) >= l.limit {
		return chunk, nil
	}
	return chunk[:len(chunk)-incomplete(chunk)], nil
}

// incomplete counts the bytes at the end of b that begin a character.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// decidable counts the bytes after which it is known what character b begins
// with: beyond b if b ends too early for that.
func decidable(b []byte) int64 {
	n := 1
	for n <= len(b) && !utf8.FullRune(b[:n]) {
		n++
	}
	return int64(n)
}

// finish takes the last n bytes of a line.
func (l *lineReader) finish(n int) error {
	err := l.advance(n)
	l.need = l.pos
	return err
}

func (l *lineReader) advance(n int) error {
	l.pos += int64(n)
	_, err := l.r.Discard(n)
	return err
}

// text gives what the line shows, as valid UTF-8.
func (l *lineReader) text() string {
	if l.isPlain {
		return string(l.plain)
	}
	return l.term.text()
}
