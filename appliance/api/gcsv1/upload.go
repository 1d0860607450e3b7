package gcsv1

import (
	"io"

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
		return nil, parameterErrorf("uploadType", "Invalid value for parameter uploadType: %q is none of media, multipart, resumable.", t)
	}
}

// uploadMedia takes the body as the content.
func uploadMedia(c *call) (any, error) {
	expect, err := checksums(c.r.Header, true)
	if err != nil {
		return nil, err
	}
	p, err := c.putRequest(objectInput{}, c.r.Header.Get("Content-Type"), expect)
	if err != nil {
		return nil, err
	}
	p.Size = max(0, c.r.ContentLength)
	return c.put(p, c.r.Body)
}

func (c *call) put(p object.PutRequest, content io.Reader) (any, error) {
	o, err := c.Store.Put(c.r.Context(), p, body{content})
	if err != nil {
		return nil, err
	}
	c.observeWrite(o)
	return c.objectReply(o), nil
}

// putRequest collects what the path, the query and the JSON say of an object to
// be written. contentType counts where the JSON says nothing; expect is what the
// headers say about the content.
func (c *call) putRequest(in objectInput, contentType string, expect object.Checksums) (p object.PutRequest, err error) {
	p.Bucket, p.Name, p.By, p.Expect = c.bucket, in.Name, c.Who(c.r), expect
	for _, name := range []string{c.q.Get("name"), c.object} {
		if name != "" {
			p.Name = name
		}
	}
	if p.Name == "" {
		return p, missingParameter("name")
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
	return p, in.checksums(&p.Expect)
}
