package rest

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"hearth/ml"
)

// compressFrom is the size from which an answer goes out in gzip to those who take
// it: below it, compressing costs more time than any network saves.
const compressFrom = 32 << 10

var compressors = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one of the package's own
	}
	return z
}}

// PackAnswer gives an answer's body in gzip, ok if it is so large that this pays.
func PackAnswer(body []byte) (packed []byte, ok bool) {
	if len(body) < compressFrom {
		return nil, false
	}
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	buf := bytes.NewBuffer(make([]byte, 0, len(body)/4))
	z.Reset(buf)
	_, _ = z.Write(body) // a buffer takes everything
	_ = z.Close()
	return buf.Bytes(), true
}

// WriteRaw answers with a body as it is, or in gzip if it is large and the caller
// takes that.
func WriteRaw(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	if acceptsGzip(r) {
		if packed, ok := PackAnswer(body); ok {
			h.Set("Content-Encoding", "gzip")
			h.Set("Vary", "Accept-Encoding")
			body = packed
		}
	}
	// net/http counts small bodies by itself.
	if len(body) > 2<<10 {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header["Accept-Encoding"] {
		for coding := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if name = strings.TrimSpace(name); strings.EqualFold(name, "gzip") || name == "*" {
				return strings.ReplaceAll(weight, " ", "") != "q=0"
			}
		}
	}
	return false
}

// Timeout gives how long the caller waits for the answer, as Google's clients say
// it: seconds in X-Server-Timeout. Zero means that nothing was said.
func Timeout(r *http.Request) (time.Duration, error) {
	text := r.Header.Get("X-Server-Timeout")
	if text == "" {
		return 0, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0) || seconds > 1e9 {
		return 0, ml.FieldErrorf("X-Server-Timeout", "%q is no number of seconds.", text)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
