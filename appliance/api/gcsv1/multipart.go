package gcsv1

import (
	"io"
	"mime/multipart"
	"strings"

	"hearth/ml"
	"hearth/storage/object"
)

// uploadMultipart takes a body of two parts: JSON, then the content.
func uploadMultipart(c *call) (any, error) {
	b, err := boundary(c.r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	parts := multipart.NewReader(body{c.r.Body}, b)
	part, err := nextPart(parts)
	if err != nil {
		return nil, err
	}
	var in objectInput
	if err := decodeJSON(part, &in); err != nil {
		return nil, err
	}
	if part, err = nextPart(parts); err != nil {
		return nil, err
	}
	expect, err := checksums(c.r.Header, false)
	if err == nil {
		err = partChecksum(&expect, part)
	}
	if err != nil {
		return nil, err
	}
	p, err := c.putRequest(in, part.Header.Get("Content-Type"), expect)
	if err != nil {
		return nil, err
	}
	return c.put(p, part)
}

// partChecksum adds what the part with the content says about it.
func partChecksum(c *object.Checksums, part *multipart.Part) error {
	if sum := part.Header.Get("Content-Md5"); sum != "" {
		return setMD5(c, sum)
	}
	return nil
}

func nextPart(r *multipart.Reader) (*multipart.Part, error) {
	p, err := r.NextRawPart()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, &ml.Error{Kind: ml.InvalidArgument, Message: "The body must have two parts: the object's metadata and its content.", Err: err}
	}
	return p, nil
}

const maxBoundary = 200

// boundary takes the boundary out of a Content-Type. mime.ParseMediaType will
// not do: gcloud's has single quotes, and characters that need double ones.
func boundary(contentType string) (string, error) {
	_, params, _ := strings.Cut(contentType, ";")
	for params != "" {
		var name, value string
		name, params, _ = strings.Cut(params, "=")
		value, params = parameter(strings.TrimLeft(params, " \t"))
		if strings.EqualFold(strings.TrimSpace(name), "boundary") && value != "" && len(value) <= maxBoundary {
			return value, nil
		}
	}
	return "", ml.Errorf(ml.InvalidArgument, "The Content-Type %q has no boundary.", contentType)
}

// parameter takes a value, in quotes of either kind or bare, off the front.
func parameter(s string) (value, rest string) {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		if value, rest, ok := strings.Cut(s[1:], s[:1]); ok {
			_, rest, _ = strings.Cut(rest, ";")
			return value, rest
		}
	}
	value, rest, _ = strings.Cut(s, ";")
	return strings.TrimSpace(value), rest
}
