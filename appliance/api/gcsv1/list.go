package gcsv1

import (
	"encoding/base64"
	"net/url"
	"strings"

	"hearth/storage/object"
)

const maxPage = 1000

// listObjects lists live generations, which are all there are: so versions=true
// changes nothing.
func listObjects(c *call) (any, error) {
	if boolean(c.q, "softDeleted") {
		return nil, unimplemented("Soft delete is")
	}
	if c.q.Get("filter") != "" {
		return nil, unimplemented("The parameter filter is")
	}
	size, err := pageSize(c.q)
	if err != nil {
		return nil, err
	}
	after, err := parsePageToken(c.q.Get("pageToken"))
	if err != nil {
		return nil, err
	}
	o := object.ListOptions{
		Prefix:            c.q.Get("prefix"),
		Delimiter:         c.q.Get("delimiter"),
		StartOffset:       c.q.Get("startOffset"),
		EndOffset:         c.q.Get("endOffset"),
		StartAfter:        after,
		Max:               size,
		TrailingDelimiter: boolean(c.q, "includeTrailingDelimiter"),
	}
	if err := matchGlob(&o, c.q.Get("matchGlob")); err != nil {
		return nil, err
	}
	page, err := c.Store.List(c.r.Context(), c.bucket, o)
	if err != nil {
		return nil, err
	}
	res := &objectList{base: c.base(), page: page}
	if page.Next != "" {
		res.next = pageToken(page.Next)
	}
	return res, nil
}

// matchGlob restricts a listing to the names that a glob matches, and to the
// part of the bucket where they can be.
func matchGlob(o *object.ListOptions, pattern string) error {
	if pattern == "" {
		return nil
	}
	if o.Delimiter != "" && o.Delimiter != "/" {
		return parameterErrorf("delimiter", "With matchGlob the delimiter can be / only.")
	}
	g, err := parseGlob(pattern)
	if err != nil {
		return err
	}
	o.Match = g.match
	switch {
	case o.Delimiter == "" && strings.HasPrefix(g.literal, o.Prefix):
		o.Prefix = g.literal
	case strings.HasPrefix(o.Prefix, g.literal):
		// The prefix is the narrower one.
	default:
		// Names fold behind the prefix, so it must stay. If the two exclude each
		// other, this leaves nothing to look at.
		o.StartOffset = max(o.StartOffset, g.literal)
		if end := afterPrefix(g.literal); end != "" && (o.EndOffset == "" || end < o.EndOffset) {
			o.EndOffset = end
		}
	}
	return nil
}

// afterPrefix gives the lowest string above all that begin with prefix, empty if
// there is none.
func afterPrefix(prefix string) string {
	b := []byte(prefix)
	for len(b) > 0 {
		if b[len(b)-1]++; b[len(b)-1] != 0 {
			return string(b)
		}
		b = b[:len(b)-1]
	}
	return ""
}

// pageSize reads maxResults; larger pages than 1000 are cut, as the API may.
func pageSize(q url.Values) (int, error) {
	n, err := number(q, "maxResults")
	switch {
	case err != nil:
		return 0, err
	case n == nil || *n == 0 || *n > maxPage:
		return maxPage, nil
	case *n < 0:
		return 0, parameterErrorf("maxResults", "Invalid value for parameter maxResults: %d is negative.", *n)
	}
	return int(*n), nil
}

// pageToken wraps the last name of a page. Its first byte tells tokens of this
// form from others.
func pageToken(last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("n" + last))
}

func parsePageToken(s string) (after string, err error) {
	if s == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 2 || b[0] != 'n' {
		return "", parameterErrorf("pageToken", "Invalid page token: %q.", s)
	}
	return string(b[1:]), nil
}
