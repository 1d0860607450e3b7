package tensor

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxSkipDepth bounds the nesting of members that are read over.
const maxSkipDepth = 1000

// scanner reads JSON from b; i is the next byte. It builds no values and never
// recurses.
type scanner struct {
	b []byte
	i int
}

// peek gives the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// space reads over white space and gives the byte that follows, 0 at the end.
func (s *scanner) space() byte {
	for s.i < len(s.b) {
		c := s.b[s.i]
		if c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		s.i++
	}
	return 0
}

// found says what stands at the current place, for an error message.
func (s *scanner) found() string {
	if s.i >= len(s.b) {
		return fmt.Sprintf("the end of the JSON after %d bytes", len(s.b))
	}
	switch c := s.b[s.i]; {
	case c == '{':
		return "an object" + s.where()
	case c == '[':
		return "a list" + s.where()
	case c == '"':
		return "a string" + s.where()
	}
	rest := s.b[s.i:min(s.i+24, len(s.b))]
	if end := bytes.IndexAny(rest, ",]} \t\r\n"); end > 0 {
		rest = rest[:end]
	}
	return strconv.Quote(string(rest)) + s.where()
}

func (s *scanner) where() string { return fmt.Sprintf(" at byte %d", s.i) }

// expect reads white space and one byte.
func (s *scanner) expect(c byte) error {
	if s.space() != c || s.i >= len(s.b) {
		return fmt.Errorf("expected %q, found %s", string(c), s.found())
	}
	s.i++
	return nil
}

// literal reads the word if it stands here.
func (s *scanner) literal(word string) bool {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return false
	}
	s.i += len(word)
	return true
}

// key reads the name of an object's member and its colon.
func (s *scanner) key() ([]byte, error) {
	if s.space() != '"' {
		return nil, fmt.Errorf("expected a name in quotes, found %s", s.found())
	}
	name, err := s.str()
	if err != nil {
		return nil, err
	}
	return name, s.expect(':')
}

// next reads what follows an element of a list or an object: a comma, after
// which more is true, or the closing byte.
func (s *scanner) next(closing byte) (more bool, err error) {
	switch c := s.space(); {
	case c == ',':
		s.i++
		return true, nil
	case c == closing && s.i < len(s.b):
		s.i++
		return false, nil
	}
	return false, fmt.Errorf("expected ',' or %q, found %s", string(closing), s.found())
}

// str reads the string that starts here. Where it has no escapes the result is
// a slice of b.
func (s *scanner) str() ([]byte, error) {
	start := s.i + 1
	end := bytes.IndexByte(s.b[start:], '"')
	if end < 0 {
		s.i = len(s.b)
		return nil, fmt.Errorf("a string does not end before %s", s.found())
	}
	text := s.b[start : start+end]
	if plain(text) {
		s.i = start + end + 1
		return text, s.checkUTF8(text, start)
	}
	return s.escaped()
}

// plain says that text holds neither escapes nor control characters.
func plain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '\\' {
			return false
		}
	}
	return true
}

func (s *scanner) checkUTF8(text []byte, start int) error {
	if utf8.Valid(text) {
		return nil
	}
	return fmt.Errorf("the string at byte %d is not UTF-8; bytes are sent as {\"b64\": …}", start-1)
}

// escaped reads a string that may have escapes.
func (s *scanner) escaped() ([]byte, error) {
	start := s.i
	s.i++
	var text []byte
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			return text, s.checkUTF8(text, start+1)
		case c < ' ':
			s.i--
			return nil, fmt.Errorf("a string holds the control character %q%s", string(c), s.where())
		case c != '\\':
			text = append(text, c)
		default:
			var err error
			if text, err = s.escape(text); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("a string does not end before %s", s.found())
}

// escape reads what follows a backslash and appends what it stands for.
func (s *scanner) escape(text []byte) ([]byte, error) {
	c := s.peek()
	s.i++
	switch c {
	case '"', '\\', '/':
		return append(text, c), nil
	case 'b':
		return append(text, '\b'), nil
	case 'f':
		return append(text, '\f'), nil
	case 'n':
		return append(text, '\n'), nil
	case 'r':
		return append(text, '\r'), nil
	case 't':
		return append(text, '\t'), nil
	case 'u':
		if r, ok := s.hex4(); ok {
			return utf8.AppendRune(text, s.lowSurrogate(r)), nil
		}
	}
	return nil, fmt.Errorf("a string holds an escape that JSON does not have, near byte %d", min(s.i, len(s.b))-1)
}

// lowSurrogate joins r, if it is the first half of a pair, with the second
// half that follows. A half by itself becomes U+FFFD.
func (s *scanner) lowSurrogate(r rune) rune {
	if !utf16.IsSurrogate(r) {
		return r
	}
	before := s.i
	if s.literal(`\u`) {
		if low, ok := s.hex4(); ok {
			if joined := utf16.DecodeRune(r, low); joined != utf8.RuneError {
				return joined
			}
		}
	}
	s.i = before
	return utf8.RuneError
}

func (s *scanner) hex4() (rune, bool) {
	if len(s.b)-s.i < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(s.b[s.i:s.i+4]), 16, 32)
	s.i += 4
	return rune(v), err == nil
}

// isBase64 says whether the object that starts here has "b64" for its first
// name, without reading it.
func (s *scanner) isBase64() bool {
	ahead := scanner{s.b, s.i + 1}
	if ahead.space() != '"' || !ahead.literal(`"b64"`) {
		return false
	}
	return ahead.space() == ':'
}

// base64 reads an object {"b64": "…"} and gives the bytes. Padding is optional.
func (s *scanner) base64() ([]byte, error) {
	s.i++
	if _, err := s.key(); err != nil {
		return nil, err
	}
	if s.space() != '"' {
		return nil, fmt.Errorf("b64 must be a string, found %s", s.found())
	}
	start := s.i
	text, err := s.str()
	if err != nil {
		return nil, err
	}
	data, err := decodeBase64(text)
	if err != nil {
		return nil, fmt.Errorf("the b64 string at byte %d: %w", start, err)
	}
	if s.space() != '}' {
		return nil, fmt.Errorf("an object with b64 must hold nothing else, found %s", s.found())
	}
	s.i++
	return data, nil
}

func decodeBase64(text []byte) ([]byte, error) {
	text = bytes.TrimRight(text, "=")
	data := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, err := base64.RawStdEncoding.Decode(data, text)
	return data[:n], err
}

// skip reads over any value.
func (s *scanner) skip() error {
	var open []byte
	for {
		switch c := s.space(); {
		case s.i >= len(s.b):
			return fmt.Errorf("expected a value, found %s", s.found())
		case c == '"':
			if _, err := s.str(); err != nil {
				return err
			}
		case c == '[' || c == '{':
			if len(open) == maxSkipDepth {
				return fmt.Errorf("lists and objects are nested more than %d deep%s", maxSkipDepth, s.where())
			}
			open = append(open, c+2) // ']' and '}' lie two behind '[' and '{'
			s.i++
		case c == ']' || c == '}':
			if len(open) == 0 || open[len(open)-1] != c {
				return fmt.Errorf("expected a value, found %s", s.found())
			}
			open = open[:len(open)-1]
			s.i++
		case c == ',' || c == ':':
			if len(open) == 0 {
				return fmt.Errorf("expected a value, found %s", s.found())
			}
			s.i++
			continue
		default:
			s.word()
		}
		if len(open) == 0 {
			return nil
		}
	}
}

// word reads over a number or a literal.
func (s *scanner) word() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ',', ':', ']', '}', '[', '{', '"', ' ', '\t', '\r', '\n':
			return
		}
		s.i++
	}
}
