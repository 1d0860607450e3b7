package rest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"hearth/ml"
)

// keepBody is the size up to which a buffer is kept for later requests.
const keepBody = 8 << 20

// growBody is the size up to which room is made for a body before it comes.
const growBody = 1 << 20

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// ReadBody reads the whole body of a request, out of gzip if that is its encoding,
// and gives it with what must be called once it is no longer used. An error is
// that of a body of more than limit bytes (413), of one in another encoding
// (INVALID_ARGUMENT), or of a client that went away.
func ReadBody(r *http.Request, limit int64) (body []byte, release func(), err error) {
	buf := bodies.Get().(*bytes.Buffer)
	release = func() {
		if buf.Cap() <= keepBody {
			buf.Reset()
			bodies.Put(buf)
		}
	}
	if err := readBody(buf, r, limit); err != nil {
		release()
		return nil, nil, err
	}
	return buf.Bytes(), release, nil
}

func readBody(buf *bytes.Buffer, r *http.Request, limit int64) error {
	body := io.Reader(r.Body)
	switch n := r.ContentLength; {
	case n > limit:
		return TooLarge(limit)
	case n < 0:
		body = http.MaxBytesReader(nil, r.Body, limit)
	default:
		// What is announced may never come: beyond this, room is made as it does.
		buf.Grow(int(min(n, growBody)) + bytes.MinRead)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" {
		plain, err := plainReader(body, encoding)
		if err != nil {
			return err
		}
		return unpack(buf, plain, limit)
	}
	_, err := buf.ReadFrom(body)
	return BodyError(err)
}

func plainReader(body io.Reader, encoding string) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "identity":
		return body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, notGzip(err)
		}
		return z, nil
	}
	return nil, ml.FieldErrorf("Content-Encoding", "Bodies are taken as they are or in gzip, not in %q.", encoding)
}

// unpack reads what may be far larger than what was sent.
func unpack(buf *bytes.Buffer, plain io.Reader, limit int64) error {
	n, err := buf.ReadFrom(io.LimitReader(plain, limit+1))
	if err != nil {
		return notGzip(err)
	}
	if n > limit {
		return TooLarge(limit)
	}
	return nil
}

// notGzip tells a body that is broken from one that did not arrive or is too
// large.
func notGzip(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.EOF) || errors.As(err, &corrupt) {
		return ml.FieldErrorf("Content-Encoding", "The body is not the gzip that it is said to be: %v.", err)
	}
	return BodyError(err)
}
