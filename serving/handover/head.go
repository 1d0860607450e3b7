package handover

import (
	"bytes"
	"strconv"
	"strings"
)

// MaxHead is the most bytes of a request's head; a longer one is for net/http to
// refuse.
const MaxHead = 64 << 10

// Head is the head of an HTTP/1.1 request that can be answered away from
// net/http: a POST with a body of known length and no header that asks for
// anything out of the ordinary. Slices are of the bytes that were parsed.
type Head struct {
	// Size is how many bytes it has, the empty line included.
	Size                        int
	Target, Host, Authorization []byte
	ContentLength               int64
	// AcceptsGzip is true if the client takes answers in gzip.
	AcceptsGzip bool
}

// Verdict says what the start of a request is.
type Verdict int

const (
	// Partial: the head has not ended yet.
	Partial Verdict = iota
	// Plain: it is one of those that a Head describes.
	Plain
	// Other: it is for net/http, which also finds what is wrong with it.
	Other
)

// ParseHead reads the head at the start of b. It is stricter than it would have to
// be: whatever could be read in two ways is Other.
func ParseHead(b []byte) (h Head, v Verdict) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) >= MaxHead || !couldBePost(b) {
			return h, Other
		}
		return h, Partial
	}
	h.Size, h.ContentLength = end+4, -1
	line, rest, _ := bytes.Cut(b[:end+2], []byte("\r\n"))
	if !h.requestLine(line) {
		return h, Other
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if !h.header(line) {
			return h, Other
		}
	}
	if h.Host == nil || h.ContentLength < 0 {
		return h, Other
	}
	return h, Plain
}

var post = []byte("POST /")

func couldBePost(b []byte) bool {
	n := min(len(b), len(post))
	return bytes.Equal(b[:n], post[:n])
}

func (h *Head) requestLine(line []byte) bool {
	target, ok := bytes.CutPrefix(line, post[:5])
	if !ok {
		return false
	}
	if h.Target, ok = bytes.CutSuffix(target, []byte(" HTTP/1.1")); !ok || len(h.Target) == 0 || h.Target[0] != '/' {
		return false
	}
	for _, c := range h.Target {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// header takes one header in, and is false if it makes the request another kind.
func (h *Head) header(line []byte) bool {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !isToken(name) {
		return false
	}
	value = bytes.Trim(value, " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	// No name that matters is longer than the array: the conversion costs nothing.
	switch strings.ToLower(string(name)) {
	case "host":
		ok = h.Host == nil && len(value) > 0
		h.Host = value
	case "authorization":
		ok = h.Authorization == nil && len(value) > 0
		h.Authorization = value
	case "content-length":
		ok = h.ContentLength < 0 && h.length(value)
	case "connection":
		ok = bytes.EqualFold(value, []byte("keep-alive"))
	case "accept-encoding":
		h.AcceptsGzip = acceptsGzip(string(value))
	case "transfer-encoding", "te", "trailer", "upgrade", "expect", "origin", "content-encoding",
		"proxy-authorization", "proxy-connection", "x-http-method-override", "x-server-timeout", "metadata-flavor":
		ok = false
	}
	return ok
}

func (h *Head) length(value []byte) bool {
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	h.ContentLength = n
	return err == nil
}

// acceptsGzip takes the simple forms for what they say and the others for no.
func acceptsGzip(value string) bool {
	for coding := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			return true
		}
	}
	return false
}

func isToken(name []byte) bool {
	for _, c := range name {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(name) > 0
}

// Like says whether a request goes to the same place under the same name from the
// same caller as another one, so that what was decided about that one holds for it.
func (h *Head) Like(other *Head) bool {
	return bytes.Equal(h.Target, other.Target) && bytes.Equal(h.Host, other.Host) && bytes.Equal(h.Authorization, other.Authorization)
}

// Clone copies a head out of the bytes that it was parsed from.
func (h *Head) Clone() Head {
	c := *h
	c.Target, c.Host, c.Authorization = bytes.Clone(h.Target), bytes.Clone(h.Host), bytes.Clone(h.Authorization)
	return c
}
