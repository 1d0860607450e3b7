package metadata

import (
	"bytes"
	"encoding/base64"

	"go.etcd.io/bbolt"

	"hearth/ml"
)

// Bounds of a listing, as the service has them.
const (
	defaultPageSize = 20
	maxPageSize     = 100
)

// page is one page of a listing: size records whose keys begin with prefix,
// beyond the key after.
type page struct {
	prefix []byte
	after  []byte
	size   int
}

// newPage checks what the client sent. A token is the listing's bucket and the
// last key that was returned, so it is good for that listing only, and goes on
// at the right place when records have come and gone.
func newPage(bucket []byte, parent string, size int, token string) (page, error) {
	p := page{prefix: []byte(parent + "/"), size: size}
	switch {
	case size < 0:
		return page{}, ml.FieldErrorf("pageSize", "The page size must not be negative.")
	case size == 0:
		p.size = defaultPageSize
	case size > maxPageSize:
		p.size = maxPageSize
	}
	if token == "" {
		return p, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	listing, key, found := bytes.Cut(b, []byte{0})
	if err != nil || !found || !bytes.Equal(listing, bucket) || !bytes.HasPrefix(key, p.prefix) {
		return page{}, ml.FieldErrorf("pageToken", "The page token is not one that this listing returned.")
	}
	p.after = key
	return p, nil
}

func pageToken(bucket, key []byte) string {
	return base64.RawURLEncoding.EncodeToString(bytes.Join([][]byte{bucket, key}, []byte{0}))
}

// ascending calls visit with the page's records in the order of their keys and
// gives the token of the next page, empty if there is none.
func (p page) ascending(t *tx, bucket []byte, visit func(k, v []byte) error) (string, error) {
	c := t.Bucket(bucket).Cursor()
	k, v := c.Seek(p.prefix)
	if p.after != nil {
		k, v = c.Seek(p.after)
		if bytes.Equal(k, p.after) {
			k, v = c.Next()
		}
	}
	return p.walk(bucket, k, v, c.Next, visit)
}

// descending is ascending from the other end.
func (p page) descending(t *tx, bucket []byte, visit func(k, v []byte) error) (string, error) {
	c := t.Bucket(bucket).Cursor()
	end := p.after
	if end == nil {
		// Above every key of the prefix: it ends in a slash.
		end = append(bytes.Clone(p.prefix[:len(p.prefix)-1]), '/'+1)
	}
	k, v := seekBefore(c, end)
	return p.walk(bucket, k, v, c.Prev, visit)
}

// seekBefore goes to the last key below end.
func seekBefore(c *bbolt.Cursor, end []byte) (k, v []byte) {
	if k, _ := c.Seek(end); k == nil {
		return c.Last()
	}
	return c.Prev()
}

func (p page) walk(bucket, k, v []byte, step func() ([]byte, []byte), visit func(k, v []byte) error) (string, error) {
	var last []byte
	for n := 0; k != nil && bytes.HasPrefix(k, p.prefix); k, v = step() {
		if n == p.size {
			return pageToken(bucket, last), nil
		}
		if err := visit(k, v); err != nil {
			return "", err
		}
		n, last = n+1, k
	}
	return "", nil
}
