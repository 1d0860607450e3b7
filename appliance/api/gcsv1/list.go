package gcsv1

import (
	"encoding/base64"
	"net/url"

	"hearth/ml"
	"hearth/storage/object"
)

const maxPage = 1000

type objectList struct {
	Kind          string            `json:"kind,omitempty"`
	NextPageToken string            `json:"nextPageToken,omitempty"`
	Prefixes      []string          `json:"prefixes,omitempty"`
	Items         []*objectResource `json:"items,omitempty"`
}

// listObjects lists live generations, which are all there are: so versions=true
// changes nothing.
func listObjects(c *call) (any, error) {
	for _, p := range []string{"matchGlob", "softDeleted", "filter"} {
		if s := c.q.Get(p); s != "" && s != "false" {
			return nil, unimplemented("The parameter " + p)
		}
	}
	size, err := pageSize(c.q)
	if err != nil {
		return nil, err
	}
	after, err := parsePageToken(c.q.Get("pageToken"))
	if err != nil {
		return nil, err
	}
	page, err := c.Store.List(c.r.Context(), c.bucket, object.ListOptions{
		Prefix:            c.q.Get("prefix"),
		Delimiter:         c.q.Get("delimiter"),
		StartOffset:       c.q.Get("startOffset"),
		EndOffset:         c.q.Get("endOffset"),
		StartAfter:        after,
		Max:               size,
		TrailingDelimiter: boolean(c.q, "includeTrailingDelimiter"),
	})
	if err != nil {
		return nil, err
	}
	res := &objectList{Kind: "storage#objects", Prefixes: page.Prefixes, Items: make([]*objectResource, len(page.Objects))}
	for i, o := range page.Objects {
		res.Items[i] = c.objectResource(o)
	}
	if page.Next != "" {
		res.NextPageToken = pageToken(page.Next)
	}
	return res, nil
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
		return 0, ml.FieldErrorf("maxResults", "Invalid value for parameter maxResults: %d is negative.", *n)
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
		return "", ml.FieldErrorf("pageToken", "Invalid page token: %q.", s)
	}
	return string(b[1:]), nil
}
