package gcsv1

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"hearth/ml"
	"hearth/storage/object"
)

// conditions reads ifGenerationMatch and its three relatives; infix is "Source"
// for those about a copy's source.
func conditions(q url.Values, infix string) (c object.Conditions, err error) {
	for _, p := range []struct {
		name string
		dst  **int64
	}{
		{"GenerationMatch", &c.GenerationMatch},
		{"GenerationNotMatch", &c.GenerationNotMatch},
		{"MetagenerationMatch", &c.MetagenerationMatch},
		{"MetagenerationNotMatch", &c.MetagenerationNotMatch},
	} {
		if *p.dst, err = number(q, "if"+infix+p.name); err != nil {
			return c, err
		}
	}
	return c, nil
}

// number reads an integer parameter; nil if it is not there.
func number(q url.Values, name string) (*int64, error) {
	s := q.Get(name)
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, parameterErrorf(name, "Invalid value for parameter %s: %q is not an integer.", name, s)
	}
	return &n, nil
}

// boolean reads a parameter that is true or false.
func boolean(q url.Values, name string) bool {
	b, err := strconv.ParseBool(q.Get(name))
	return err == nil && b
}

// selected gives the conditions of a call that may name a generation: there is
// only the live one, so another one does not exist. wrong turns the store's
// answer into that.
func selected(q url.Values, param, infix string) (c object.Conditions, wrong func(error) error, err error) {
	wrong = func(err error) error { return err }
	if c, err = conditions(q, infix); err != nil {
		return c, wrong, err
	}
	g, err := number(q, param)
	if err != nil || g == nil {
		return c, wrong, err
	}
	if c.GenerationMatch != nil && *c.GenerationMatch != *g {
		return c, wrong, object.ErrConditionNotMet
	}
	if c.GenerationMatch == nil {
		c.GenerationMatch = g
		wrong = func(err error) error {
			if errors.Is(err, object.ErrConditionNotMet) && c.MetagenerationMatch == nil {
				return ml.Errorf(ml.NotFound, "There is no generation %d of this object.", *g)
			}
			return err
		}
	}
	return c, wrong, nil
}

// selectedForWrite gives the conditions of a change of an object. An ETag among
// the headers is one of them.
func (c *call) selectedForWrite() (cond object.Conditions, wrong func(error) error, err error) {
	if cond, wrong, err = selected(c.q, "generation", ""); err != nil {
		return cond, wrong, err
	}
	tag := strings.Trim(strings.TrimSpace(c.r.Header.Get("If-Match")), `"`)
	if tag == "" || tag == "*" {
		return cond, wrong, nil
	}
	generation, metageneration, ok := parseEtag(tag)
	differs := func(want *int64, have int64) bool { return want != nil && *want != have }
	if !ok || differs(cond.GenerationMatch, generation) || differs(cond.MetagenerationMatch, metageneration) {
		return cond, wrong, object.ErrConditionNotMet
	}
	cond.GenerationMatch, cond.MetagenerationMatch = &generation, &metageneration
	return cond, wrong, nil
}

// etagConditions checks If-Match and If-None-Match against one state.
func (c *call) etagConditions(generation, metageneration int64) error {
	tag := etag(generation, metageneration)
	if s := c.r.Header.Get("If-Match"); s != "" && !matches(s, tag) {
		return object.ErrConditionNotMet
	}
	if s := c.r.Header.Get("If-None-Match"); s != "" && matches(s, tag) {
		return object.ErrNotModified
	}
	return nil
}

// matches reports whether a list of ETags holds one.
func matches(list, tag string) bool {
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.Trim(strings.TrimSpace(s), `"`); s == tag || s == "*" {
			return true
		}
	}
	return false
}

// checksums reads what the headers say about the content: X-Goog-Hash, and
// Content-MD5 unless the body is only a part of it.
func checksums(h http.Header, whole bool) (c object.Checksums, err error) {
	for _, line := range h.Values("X-Goog-Hash") {
		for part := range strings.SplitSeq(line, ",") {
			name, sum, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch name {
			case "crc32c":
				err = setCRC32C(&c, sum)
			case "md5":
				err = setMD5(&c, sum)
			}
			if err != nil {
				return c, err
			}
		}
	}
	if sum := h.Get("Content-Md5"); sum != "" && whole {
		err = setMD5(&c, sum)
	}
	return c, err
}

// setCRC32C notes a checksum that the content must have. It may be said more
// than once, but not differently.
func setCRC32C(c *object.Checksums, s string) error {
	sum, ok := object.ParseCRC32C(s)
	switch {
	case !ok:
		return ml.FieldErrorf("crc32c", "%q is not a CRC32C in base64.", s)
	case c.CRC32C != nil && *c.CRC32C != sum:
		return ml.FieldErrorf("crc32c", "The request names two different CRC32Cs.")
	}
	c.CRC32C = &sum
	return nil
}

// setMD5 is setCRC32C for the other checksum.
func setMD5(c *object.Checksums, s string) error {
	b, err := base64.StdEncoding.DecodeString(s)
	switch {
	case err != nil || len(b) != md5.Size:
		return ml.FieldErrorf("md5Hash", "%q is not an MD5 in base64.", s)
	case c.MD5 != nil && !bytes.Equal(c.MD5, b):
		return ml.FieldErrorf("md5Hash", "The request names two different MD5s.")
	}
	c.MD5 = b
	return nil
}

// body reads the request's content; its errors say that the client is at fault.
type body struct{ io.Reader }

func (b body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = &ml.Error{Kind: ml.InvalidArgument, Message: "The body of the request could not be read to its end.", Err: err}
	}
	return n, err
}
