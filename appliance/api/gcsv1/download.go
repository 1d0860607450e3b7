package gcsv1

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

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
	if err := c.etagConditions(o.Generation, o.Metageneration); err != nil {
		return err
	}
	if c.decompresses(o) {
		if done, err := c.sendDecompressed(rd); done || err != nil {
			return err
		}
	}
	return c.sendStored(rd)
}

// sendStored answers with the content as it is stored.
func (c *call) sendStored(rd object.Reader) error {
	o := rd.Object()
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
	if _, err := rd.Seek(first, io.SeekStart); err != nil {
		h.Del("Content-Range")
		return fmt.Errorf("read gs://%s/%s: %w", o.Bucket, o.Name, err)
	}
	if err := c.prepare(rd, length); err != nil {
		h.Del("Content-Range")
		return err
	}
	c.contentHeaders(o)
	if o.ContentEncoding != "" {
		h.Set("Content-Encoding", o.ContentEncoding)
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	c.w.WriteHeader(code)
	if c.r.Method == http.MethodHead {
		return nil
	}
	sent, err := io.CopyN(c.w, plain(rd), length)
	if sent < length {
		// Too late for another answer: the client notices the missing bytes.
		c.tellCutOff(o, err)
	}
	c.observeRead(o, sent)
	return nil
}

// prepare has a store that is elsewhere send the first of n bytes, while there
// can still be an answer of another kind.
func (c *call) prepare(rd object.Reader, n int64) error {
	if p, ok := rd.(interface{ Prepare(n int64) error }); ok && c.r.Method != http.MethodHead {
		return p.Prepare(n)
	}
	return nil
}

// tellCutOff logs that a client did not get all it should.
func (c *call) tellCutOff(o *object.Object, err error) {
	if c.r.Context().Err() == nil {
		c.Log.Warn().Err(err).Str("bucket", o.Bucket).Msg("a download was cut off")
	}
}

// plain gives the file behind a reader if there is one, so that net/http can
// have the kernel send it. Over TLS it cannot; but there the encryption and the
// one write that crypto/tls makes for each record of 16 KiB are what it costs,
// and larger buffers do not show.
func plain(rd object.Reader) io.Reader {
	if f, ok := rd.(interface{ Descriptor() *os.File }); ok {
		return f.Descriptor()
	}
	return rd
}

// contentHeaders sets what is said of an object beside its content, whichever
// form that is sent in.
func (c *call) contentHeaders(o *object.Object) {
	h := c.w.Header()
	h.Set("Content-Type", o.ContentType)
	for name, value := range map[string]string{
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
	if transcodable(o) {
		h.Add("Vary", "Accept-Encoding")
	}
	h.Set("Etag", `"`+etag(o.Generation, o.Metageneration)+`"`)
	h.Set("Last-Modified", o.Updated.UTC().Format(http.TimeFormat))
	h.Set("X-Goog-Generation", strconv.FormatInt(o.Generation, 10))
	h.Set("X-Goog-Metageneration", strconv.FormatInt(o.Metageneration, 10))
	h.Set("X-Goog-Storage-Class", storageClass(o))
	h.Set("X-Goog-Stored-Content-Length", strconv.FormatInt(o.Size, 10))
	h.Set("X-Goog-Stored-Content-Encoding", encoding)
	setHash(h, o)
}

// ifRange reports whether a Range counts: not if it was meant for another
// generation.
func (c *call) ifRange(o *object.Object) bool {
	s := c.r.Header.Get("If-Range")
	return s == "" || matches(s, etag(o.Generation, o.Metageneration)) || s == o.Updated.UTC().Format(http.TimeFormat)
}
