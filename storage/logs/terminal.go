package logs

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLine is how many characters one entry holds; more of them go into further
// entries.
const maxLine = 64 << 10

// terminal is one line of a screen: it keeps what is to be seen after all
// that was written. Progress bars are why: they draw a line over and over with
// carriage returns and backspaces, without ever ending it.
//
// Colours and other escape sequences are dropped; of the cursor movements it
// knows those within a line. Bytes that are not UTF-8 show as U+FFFD.
type terminal struct {
	cells []rune
	col   int
	moved bool
	state escape
	param []byte
}

// escape is where in an escape sequence the terminal is.
type escape int

const (
	ground    escape = iota
	escaped          // after ESC
	control          // after ESC [
	command          // in a string for the terminal, such as a window title
	commandST        // after an ESC in one
)

const (
	esc       = 0x1b
	bel       = 0x07
	del       = 0x7f
	maxParams = 8
)

func (t *terminal) reset() {
	t.cells, t.col, t.moved, t.state = t.cells[:0], 0, false, ground
}

// write shows b. It stops before a character for which there is no place; n is
// how many bytes it took.
func (t *terminal) write(b []byte) (n int, full bool) {
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		switch t.state {
		case ground:
			if !t.show(r) {
				return n, true
			}
		case escaped:
			t.escape(r)
		case control:
			if r < 0x20 || r >= del {
				t.state = ground
				continue // no part of a sequence: show it
			}
			t.control(r)
		case command, commandST:
			t.command(r)
		}
		n += size
	}
	return n, false
}

// show handles a character outside of escape sequences; false if it does not
// fit.
func (t *terminal) show(r rune) bool {
	switch {
	case r == '\r':
		t.move(0)
	case r == '\b':
		t.move(t.col - 1)
	case r == esc:
		t.state = escaped
	case r < 0x20 && r != '\t' || r == del:
		// shows nothing
	case t.col == maxLine:
		return false
	case t.col == len(t.cells):
		t.cells = append(t.cells, r)
		t.col++
	default:
		t.cells[t.col] = r
		t.col++
	}
	return true
}

// move puts the cursor into a column of what is there.
func (t *terminal) move(col int) {
	t.col, t.moved = max(0, min(col, len(t.cells))), true
}

func (t *terminal) escape(r rune) {
	switch {
	case r == '[':
		t.state, t.param = control, t.param[:0]
	case r == ']' || r == 'P' || r == 'X' || r == '^' || r == '_':
		t.state = command
	case r >= 0x20 && r < 0x30:
		// a sequence of three characters or more
	default:
		t.state = ground
	}
}

func (t *terminal) command(r rune) {
	switch {
	case r == bel || t.state == commandST && r == '\\':
		t.state = ground
	case r == esc:
		t.state = commandST
	default:
		t.state = command
	}
}

// control handles a character of a control sequence, ESC [ parameters final.
func (t *terminal) control(r rune) {
	if r < 0x40 {
		if len(t.param) < maxParams {
			t.param = append(t.param, byte(r))
		}
		return
	}
	t.state = ground
	n, _ := strconv.Atoi(string(t.param)) // none is 0
	switch r {
	case 'C':
		t.move(t.col + max(n, 1))
	case 'D':
		t.move(t.col - max(n, 1))
	case 'G':
		t.move(n - 1)
	case 'K':
		t.erase(n)
	}
}

// erase clears the line from the cursor on (0), up to it (1), or all of it (2).
func (t *terminal) erase(what int) {
	t.moved = true
	if what == 1 || what == 2 {
		for i := range min(t.col+1, len(t.cells)) {
			t.cells[i] = ' '
		}
	}
	if what == 0 || what == 2 {
		t.cells = t.cells[:t.col]
	}
}

func (t *terminal) text() string {
	s := string(t.cells)
	if t.moved {
		s = strings.TrimRight(s, " ")
	}
	return s
}

// isPlain reports whether b shows as it is.
func isPlain(b []byte) bool {
	if len(b) > maxLine {
		return false
	}
	for _, c := range b {
		if c < 0x20 && c != '\t' || c == del {
			return false
		}
	}
	return utf8.Valid(b)
}
