package gcsv1

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"

	"hearth/storage/object"
)

// transcodable reports whether an object may be decompressed on its way.
func transcodable(o *object.Object) bool {
	return strings.EqualFold(o.ContentEncoding, "gzip") && !strings.Contains(strings.ToLower(o.CacheControl), "no-transform")
}

// decompresses reports whether an object goes to this client decompressed.
func (c *call) decompresses(o *object.Object) bool {
	return transcodable(o) && !acceptsGzip(c.r.Header.Values("Accept-Encoding"))
}

// acceptsGzip reports whether one of the lists of encodings has gzip and does
// not refuse it by the quality 0.
func acceptsGzip(lists []string) bool {
	for item := range strings.SplitSeq(strings.Join(lists, ","), ",") {
		name, params, _ := strings.Cut(item, ";")
		name = strings.TrimSpace(name)
		if !strings.EqualFold(name, "gzip") && !strings.EqualFold(name, "x-gzip") {
			continue
		}
		quality, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		return !ok || strings.Trim(quality, "0.") != ""
	}
	return false
}

// sendDecompressed answers with what an object is without its compression. Its
// length is not known before, so ranges do not count; the checksums told are
// those of what is stored, and clients see by X-Goog-Stored-Content-Encoding not
// to compare them. It does nothing if the object is not compressed after all.
func (c *call) sendDecompressed(rd object.Reader) (done bool, err error) {
	o := rd.Object()
	z, err := gzip.NewReader(rd)
	if err != nil {
		if _, err := rd.Seek(0, io.SeekStart); err != nil {
			return false, fmt.Errorf("read gs://%s/%s: %w", o.Bucket, o.Name, err)
		}
		return false, nil
	}
	c.contentHeaders(o)
	h := c.w.Header()
	h.Set("Accept-Ranges", "none")
	h.Set("Warning", "214 UploadServer gunzipped")
	h.Set("X-Guploader-Response-Body-Transformations", "gunzipped")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return true, nil
	}
	sent, err := io.Copy(c.w, z)
	c.observeRead(o, sent)
	if err != nil {
		c.tellCutOff(o, err)
		// Only a broken connection tells the client that there should be more.
		panic(http.ErrAbortHandler)
	}
	return true, nil
}
