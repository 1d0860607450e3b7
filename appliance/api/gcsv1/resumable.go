package gcsv1

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"hearth/ml"
	"hearth/storage/object"
)

// tensorFlow is the user agent of TensorFlow's gs:// file system.
const tensorFlow = "TSL"

// beginResumable opens a session and says where.
func beginResumable(c *call) (any, error) {
	var in objectInput
	if err := decodeJSON(body{c.r.Body}, &in); err != nil {
		return nil, err
	}
	expect, err := checksums(c.r.Header, false)
	if err != nil {
		return nil, err
	}
	p, err := c.putRequest(in, c.r.Header.Get("X-Upload-Content-Type"), expect)
	if err != nil {
		return nil, err
	}
	// The header only says early what the pieces say again.
	if n, ok := digits(c.r.Header.Get("X-Upload-Content-Length")); ok {
		p.Size = n
	}
	id, err := c.Store.BeginUpload(c.r.Context(), p)
	if err != nil {
		return nil, err
	}
	base := c.base()
	if c.PlainBase != "" && strings.HasPrefix(c.r.UserAgent(), tensorFlow) {
		base = c.PlainBase
	}
	q := url.Values{"uploadType": {"resumable"}, "name": {p.Name}, "upload_id": {id}}
	h := c.w.Header()
	h.Set("Location", base+"/upload/storage/v1/b/"+url.PathEscape(c.bucket)+"/o?"+q.Encode())
	h.Set("X-Guploader-Uploadid", id)
	h.Set("Content-Length", "0")
	return status(http.StatusOK), nil
}

// resume goes on with a session: it takes a piece of the content, tells how far
// it is, or ends it. gcsfs sends its pieces by POST, the others by PUT.
func resume(c *call) (any, error) {
	id := c.q.Get("upload_id")
	switch c.r.Method {
	case http.MethodPut, http.MethodPost, http.MethodDelete:
	default:
		return nil, noSuchMethod(c.r)
	}
	u, err := c.session(id)
	if err != nil {
		return nil, err
	}
	if c.r.Method == http.MethodDelete {
		return status(statusCancelled), c.Store.AbortUpload(c.r.Context(), id)
	}
	if u.Object == nil {
		if u, err = c.appendUpload(id, u); err != nil {
			return nil, err
		}
		if u.Object != nil {
			c.observeWrite(u.Object)
		}
	}
	if u.Object != nil {
		return c.objectReply(u.Object), nil
	}
	h := c.w.Header()
	if u.Size > 0 {
		h.Set("Range", fmt.Sprintf("bytes=0-%d", u.Size-1))
	}
	h.Set("Content-Length", "0")
	if c.r.Header.Get("X-Guploader-No-308") == "yes" {
		h.Set("X-Http-Status-Code-Override", "308")
		return status(http.StatusOK), nil
	}
	return status(http.StatusPermanentRedirect), nil
}

// session finds an upload, which only the one who began it may go on with. A
// sender that nobody knows may too: TensorFlow's pieces come by plain HTTP,
// without a token, and the id cannot be guessed.
func (c *call) session(id string) (*object.Upload, error) {
	u, err := c.Store.Upload(c.r.Context(), id)
	if err != nil {
		return nil, err
	}
	c.began = u.By
	if by := c.Who(c.r); by != "" && u.By != "" && by != u.By {
		return nil, ml.Errorf(ml.PermissionDenied, "Somebody else began this upload.")
	}
	return u, nil
}

// appendUpload takes what the request brings for an upload, of which u is known.
func (c *call) appendUpload(id string, u *object.Upload) (*object.Upload, error) {
	line := c.r.Header.Get("Content-Range")
	if line == "" {
		// Without a range, the body is the whole object; empty files come so.
		expect, err := checksums(c.r.Header, true)
		if err != nil {
			return nil, err
		}
		return c.Store.AppendUpload(c.r.Context(), id, object.Chunk{
			Length: c.r.ContentLength, Total: c.r.ContentLength, Last: true, Expect: expect, Body: body{c.r.Body},
		})
	}
	r, err := parseContentRange(line)
	if err != nil {
		return nil, err
	}
	expect, err := checksums(c.r.Header, !r.query && r.first == 0 && r.last+1 == r.total)
	if err != nil {
		return nil, err
	}
	if r.query {
		if u.Size != r.total {
			return u, nil
		}
		// All is there; only the end was missing.
		return c.Store.AppendUpload(c.r.Context(), id, object.Chunk{Total: r.total, Expect: expect})
	}
	// The length of the body is no help: TensorFlow sends its pieces chunked.
	return c.Store.AppendUpload(c.r.Context(), id, object.Chunk{
		Offset: r.first, Length: r.last - r.first + 1, Total: r.total, Expect: expect, Body: body{c.r.Body},
	})
}

// contentRange is the header of that name, as uploads use it.
type contentRange struct {
	// query says that there is no piece, only a question.
	query       bool
	first, last int64
	total       int64 // -1 while it is unknown
}

// parseContentRange reads "bytes 0-9/100", "bytes 0-9/*", "bytes */100" and
// "bytes */*".
func parseContentRange(s string) (r contentRange, err error) {
	bad := ml.Errorf(ml.InvalidArgument, "The Content-Range %q cannot be understood.", s)
	rest, ok := strings.CutPrefix(s, "bytes ")
	span, total, slash := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok || !slash {
		return r, bad
	}
	r.total = -1
	if total != "*" {
		if r.total, ok = digits(total); !ok {
			return r, bad
		}
	}
	if span == "*" {
		r.query = true
		return r, nil
	}
	first, last, _ := strings.Cut(span, "-")
	var ok2 bool
	r.first, ok = digits(first)
	r.last, ok2 = digits(last)
	if !ok || !ok2 || r.last < r.first || r.total >= 0 && r.last >= r.total {
		return r, bad
	}
	return r, nil
}

// digits reads a number without sign.
func digits(s string) (int64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n < 1<<62
}
