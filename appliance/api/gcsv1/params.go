package gcsv1

import (
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
		return nil, ml.FieldErrorf(name, "Invalid value for parameter %s: %q is not an integer.", name, s)
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

func setCRC32C(c *object.Checksums, s string) error {
	sum, ok := object.ParseCRC32C(s)
	if !ok {
		return ml.FieldErrorf("crc32c", "%q is not a CRC32C in base64.", s)
	}
	c.CRC32C = &sum
	return nil
}

func setMD5(c *object.Checksums, s string) error {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 16 {
		return ml.FieldErrorf("md5Hash", "%q is not an MD5 in base64.", s)
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
