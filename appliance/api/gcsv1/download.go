package gcsv1

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"hearth/ml"
	"hearth/storage/object"
)

// download answers with an object's content, or the range of it that was asked
// for.
func download(c *call) error {
	cond, wrong, err := selected(c.q, "generation", "")
	if err != nil {
		return err
	}
	rd, err := c.Store.Open(c.r.Context(), c.bucket, c.object)
	if err != nil {
		return err
	}
	defer rd.Close()
	o := rd.Object()
	if err := wrong(cond.Check(o)); err != nil {
		return err
	}
	if err := c.etagConditions(o); err != nil {
		return err
	}
	h, code := c.w.Header(), http.StatusOK
	first, length := int64(0), o.Size
	if r, ok := parseRange(c.r.Header.Get("Range"), o.Size); ok && c.ifRange(o) {
		if r.length <= 0 {
			h.Set("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
			return ml.Errorf(ml.OutOfRange, "The requested range cannot be satisfied.")
		}
		first, length, code = r.first, r.length, http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, first+length-1, o.Size))
	}
	c.contentHeaders(o)
	if _, err := rd.Seek(first, io.SeekStart); err != nil {
		return fmt.Errorf("read gs://%s/%s: %w", c.bucket, c.object, err)
	}
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	c.w.WriteHeader(code)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.CopyN(c.w, plain(rd), length); err != nil && c.r.Context().Err() == nil {
		// Too late for another answer: the client notices the missing bytes.
		c.Log.Warn().Err(err).Str("bucket", c.bucket).Msg("a download was cut off")
	}
	return nil
}

// plain gives the file behind a reader if there is one, so that net/http can
// have the kernel send it.
func plain(rd object.Reader) io.Reader {
	if f, ok := rd.(interface{ Descriptor() *os.File }); ok {
		return f.Descriptor()
	}
	return rd
}

func (c *call) contentHeaders(o *object.Object) {
	h := c.w.Header()
	h.Set("Content-Type", o.ContentType)
	for name, value := range map[string]string{
		"Content-Encoding":    o.ContentEncoding,
		"Content-Disposition": o.ContentDisposition,
		"Content-Language":    o.ContentLanguage,
		"Cache-Control":       o.CacheControl,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	encoding := o.ContentEncoding
	if encoding == "" {
		encoding = "identity"
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("Etag", `"`+etag(o.Generation, o.Metageneration)+`"`)
	h.Set("Last-Modified", o.Updated.UTC().Format(http.TimeFormat))
	h.Set("X-Goog-Generation", strconv.FormatInt(o.Generation, 10))
	h.Set("X-Goog-Metageneration", strconv.FormatInt(o.Metageneration, 10))
	h.Set("X-Goog-Storage-Class", defaultStorageClass)
	h.Set("X-Goog-Stored-Content-Length", strconv.FormatInt(o.Size, 10))
	h.Set("X-Goog-Stored-Content-Encoding", encoding)
	h.Add("X-Goog-Hash", "crc32c="+object.FormatCRC32C(o.CRC32C))
	if o.MD5 != nil {
		h.Add("X-Goog-Hash", "md5="+base64.StdEncoding.EncodeToString(o.MD5))
	}
}

// etagConditions checks If-Match and If-None-Match.
func (c *call) etagConditions(o *object.Object) error {
	if s := c.r.Header.Get("If-Match"); s != "" && !matches(s, o) {
		return object.ErrConditionNotMet
	}
	if s := c.r.Header.Get("If-None-Match"); s != "" && matches(s, o) {
		return object.ErrNotModified
	}
	return nil
}

// ifRange reports whether a Range counts: not if it was meant for another
// generation.
func (c *call) ifRange(o *object.Object) bool {
	s := c.r.Header.Get("If-Range")
	return s == "" || matches(s, o) || s == o.Updated.UTC().Format(http.TimeFormat)
}

func matches(list string, o *object.Object) bool {
	want := etag(o.Generation, o.Metageneration)
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.Trim(strings.TrimSpace(s), `"`); s == want || s == "*" {
			return true
		}
	}
	return false
}

// byteRange is a part of an object; it is empty if it cannot be satisfied.
type byteRange struct{ first, length int64 }

// parseRange reads a Range header for an object of size bytes. ok is false where
// the header is to be ignored: it is absent, malformed, or has several ranges.
func parseRange(s string, size int64) (r byteRange, ok bool) {
	spec, ok := strings.CutPrefix(s, "bytes=")
	a, b, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash {
		return r, false
	}
	if a == "" { // the last b bytes
		n, ok := digits(b)
		n = min(n, size)
		return byteRange{size - n, n}, ok
	}
	first, ok := digits(a)
	last := size - 1
	if ok && b != "" {
		if last, ok = digits(b); ok && last < first {
			return r, false
		}
		last = min(last, size-1)
	}
	if !ok || first >= size {
		return byteRange{}, ok
	}
	return byteRange{first, last - first + 1}, true
}
