package gcsv1

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	defaultStorageClass = "STANDARD"
	defaultLocation     = "US-CENTRAL1"
	// projectNumber stands for the one project that there is.
	projectNumber = "1"
)

func timestamp(t time.Time) string { return string(appendTime(nil, t)) }

// appendTime appends a time as the API has it, like 2006-01-02T15:04:05.000Z.
// A listing has thousands of them, and time's own formatting takes longer than
// all else of an object.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	digits := func(n, width int, after byte) {
		var d [4]byte
		for i := width - 1; i >= 0; i-- {
			d[i] = byte('0' + n%10)
			n /= 10
		}
		b = append(append(b, d[:width]...), after)
	}
	digits(year, 4, '-')
	digits(int(month), 2, '-')
	digits(day, 2, 'T')
	digits(hour, 2, ':')
	digits(minute, 2, ':')
	digits(second, 2, '.')
	digits(t.Nanosecond()/int(time.Millisecond), 3, 'Z')
	return b
}

// etag is a name for one state of an object or a bucket.
func etag(generation, metageneration int64) string {
	return string(appendEtag(nil, generation, metageneration))
}

func appendEtag(b []byte, generation, metageneration int64) []byte {
	raw := make([]byte, 0, 2+2*binary.MaxVarintLen64)
	raw = binary.AppendUvarint(append(raw, 0x08), uint64(generation))
	raw = binary.AppendUvarint(append(raw, 0x10), uint64(metageneration))
	return base64.StdEncoding.AppendEncode(b, raw)
}

// parseEtag reads what etag made.
func parseEtag(s string) (generation, metageneration int64, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(raw) == 0 || raw[0] != 0x08 {
		return 0, 0, false
	}
	g, n := binary.Uvarint(raw[1:])
	if n <= 0 || len(raw) <= 1+n || raw[1+n] != 0x10 {
		return 0, 0, false
	}
	m, n := binary.Uvarint(raw[2+n:])
	return int64(g), int64(m), n > 0
}

// base is scheme and host as the client used them: it goes on with links that
// begin the same way, and retries in silence if they do not.
func (c *call) base() string {
	host := c.r.Host
	if c.r.TLS != nil || strings.HasSuffix(host, ".googleapis.com") {
		return "https://" + host
	}
	return "http://" + host
}

// appender is an answer that writes itself as JSON, and of it only what the
// mask asks for: listings are long, and most clients want little of them.
type appender interface {
	appendJSON(b []byte, m mask) []byte
}

// buffers are for answers. Longer ones than maxBuffer are not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const maxBuffer = 2 << 20

// reply answers with JSON, reduced to what the parameter fields asks for.
func (c *call) reply(code int, v any) {
	buf := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= maxBuffer {
			buffers.Put(buf)
		}
	}()
	b, err := (*buf)[:0], error(nil)
	if a, ok := v.(appender); ok {
		b = a.appendJSON(b, c.mask)
	} else {
		b, err = c.mask.marshal(b, v)
	}
	*buf = b
	if err != nil {
		c.fail(fmt.Errorf("encode an answer: %w", err))
		return
	}
	c.write(code, "application/json; charset=UTF-8", append(b, '\n'))
}

// marshal appends v as JSON, reduced to what m asks for.
func (m mask) marshal(b []byte, v any) ([]byte, error) {
	out := bytes.NewBuffer(b)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if m != nil {
		raw, err := json.Marshal(v)
		if err != nil {
			return b, err
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var tree any
		if err := d.Decode(&tree); err != nil {
			return b, err
		}
		m.prune(tree)
		v = tree
	}
	err := e.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// appendText appends s as JSON.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == 0x7f || c >= utf8.RuneSelf && !utf8.ValidString(s) {
			q, err := json.Marshal(s)
			if err != nil {
				q = []byte(`""`) // cannot be: strings always can
			}
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
