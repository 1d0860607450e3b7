package gcsv1

import (
	"net/http"

	"hearth/ml"
	"hearth/storage/object"
)

const defaultContentType = "application/octet-stream"

// upload begins or does an upload, by its type.
func upload(c *call) (any, error) {
	switch t := c.q.Get("uploadType"); t {
	case "media":
		return uploadMedia(c)
	case "multipart":
		return uploadMultipart(c)
	case "resumable":
		return beginResumable(c)
	default:
		return nil, ml.FieldErrorf("uploadType", "Invalid value for parameter uploadType: %q is none of media, multipart, resumable.", t)
	}
}

// uploadMedia takes the body as the content.
func uploadMedia(c *call) (any, error) {
	p, err := c.putRequest(objectInput{}, c.r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	if p.Expect, err = checksums(c.r.Header, true); err != nil {
		return nil, err
	}
	o, err := c.Store.Put(c.r.Context(), p, body{c.r.Body})
	if err != nil {
		return nil, err
	}
	return c.objectReply(o), nil
}

// putRequest collects what the path, the query and the JSON say of an object to
// be written. contentType counts where the JSON says nothing.
func (c *call) putRequest(in objectInput, contentType string) (p object.PutRequest, err error) {
	p.Bucket, p.Name = c.bucket, in.Name
	for _, name := range []string{c.q.Get("name"), c.object} {
		if name != "" {
			p.Name = name
		}
	}
	if p.Name == "" {
		return p, ml.FieldErrorf("name", "Required")
	}
	if p.If, err = conditions(c.q, ""); err != nil {
		return p, err
	}
	p.Attributes.ContentType = contentType
	p.Attributes.ContentEncoding = c.q.Get("contentEncoding")
	if err := in.apply(&p.Attributes); err != nil {
		return p, err
	}
	if p.Attributes.ContentType == "" {
		p.Attributes.ContentType = defaultContentType
	}
	if p.Expect, err = checksums(http.Header{"X-Goog-Hash": c.r.Header.Values("X-Goog-Hash")}, false); err != nil {
		return p, err
	}
	return p, in.checksums(&p.Expect)
}
