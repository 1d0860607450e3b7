package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"hearth/ml"
)

// How long the worker puts up with a bucket that does not answer, as while the
// daemon is being restarted, and with one that refuses for a while.
const (
	patienceAbsent  = 30 * time.Minute
	patienceRefused = time.Minute
	longestPause    = 2 * time.Second
)

// bucket is the Cloud Storage JSON API, reached as the job.
type bucket struct {
	http *http.Client
}

// newBucket makes one that goes through a proxy, whose address carries the
// credentials.
func newBucket(proxy string, connections int) (*bucket, error) {
	address, err := url.Parse(proxy)
	if err != nil || address.Host == "" {
		return nil, fmt.Errorf("the address of the bucket is not to be read")
	}
	transport := &http.Transport{
		Proxy: http.ProxyURL(address), MaxIdleConnsPerHost: connections, ReadBufferSize: 256 << 10, WriteBufferSize: 256 << 10,
		// Objects are wanted as they are stored.
		DisableCompression: true,
	}
	return &bucket{http: &http.Client{Transport: transport}}, nil
}

// Plain HTTP: the proxy is on this machine.
const base = "http://storage.googleapis.com"

func objectPath(b, name string) string {
	return base + "/storage/v1/b/" + url.PathEscape(b) + "/o/" + url.PathEscape(name)
}

// refused is an answer that is none.
type refused struct {
	status  int
	message string
}

func (r *refused) Error() string { return r.message }

// lasting reports whether asking again is of no use.
func (r *refused) lasting() bool {
	return r.status < 500 && r.status != http.StatusRequestTimeout && r.status != http.StatusTooManyRequests
}

// try does f until it succeeds, or what hinders it lasts.
func try(ctx context.Context, f func() error) error {
	began := time.Now()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, longestPause) {
		err := f()
		if err == nil || ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		patience := patienceAbsent
		var r *refused
		if errors.As(err, &r) {
			patience = patienceRefused
		}
		if r != nil && r.lasting() || time.Since(began) > patience {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ask sends a request once and gives the answer if it is a good one.
func (b *bucket) ask(req *http.Request) (*http.Response, error) {
	res, err := b.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	var body struct {
		Error struct{ Message string }
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if json.Unmarshal(text, &body) != nil || body.Error.Message == "" {
		body.Error.Message = res.Status + " " + string(bytes.TrimSpace(text))
	}
	return nil, &refused{res.StatusCode, body.Error.Message}
}

// object is one that is in the bucket.
type object struct {
	Name            string   `json:"name"`
	Size            ml.Int64 `json:"size"`
	Generation      ml.Int64 `json:"generation"`
	ContentEncoding string   `json:"contentEncoding"`
}

func (b *bucket) getJSON(ctx context.Context, address string, v any) error {
	return try(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		res, err := b.ask(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		return json.NewDecoder(res.Body).Decode(v)
	})
}

// stat finds an object, nil if there is none.
func (b *bucket) stat(ctx context.Context, in, name string) (*object, error) {
	var o object
	err := b.getJSON(ctx, objectPath(in, name), &o)
	if r := (*refused)(nil); errors.As(err, &r) && r.status == http.StatusNotFound {
		return nil, nil
	}
	return &o, err
}

// list gives the objects whose names begin with a prefix.
func (b *bucket) list(ctx context.Context, in, prefix string) ([]object, error) {
	var all []object
	for token := ""; ; {
		q := url.Values{"prefix": {prefix}, "maxResults": {"1000"}, "fields": {"nextPageToken,items(name,size,generation,contentEncoding)"}}
		if token != "" {
			q.Set("pageToken", token)
		}
		var page struct {
			Items         []object
			NextPageToken string
		}
		if err := b.getJSON(ctx, base+"/storage/v1/b/"+url.PathEscape(in)+"/o?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if token = page.NextPageToken; token == "" {
			return all, nil
		}
	}
}

// exists reports whether there is a bucket.
func (b *bucket) exists(ctx context.Context, name string) error {
	return b.getJSON(ctx, base+"/storage/v1/b/"+url.PathEscape(name), &struct{}{})
}

// put makes an object of what is in a file. Doing it again changes nothing.
func (b *bucket) put(ctx context.Context, in, name, contentType string, file *os.File, size int64) error {
	q := url.Values{"uploadType": {"media"}, "name": {name}}
	address := base + "/upload/storage/v1/b/" + url.PathEscape(in) + "/o?" + q.Encode()
	return try(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, io.NewSectionReader(file, 0, size))
		if err != nil {
			return err
		}
		req.ContentLength = size
		if size == 0 {
			req.Body = http.NoBody
		}
		req.Header.Set("Content-Type", contentType)
		res, err := b.ask(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return err
	})
}

// content is an object's bytes from one place to before another. Where the
// connection breaks it goes on by another.
type content struct {
	ctx  context.Context
	b    *bucket
	file input
	next int64
	end  int64
	body io.ReadCloser
}

func (b *bucket) open(ctx context.Context, file input, start, end int64) *content {
	return &content{ctx: ctx, b: b, file: file, next: start, end: min(end, file.Size)}
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (n int, err error) {
	if c.next >= c.end {
		return 0, io.EOF
	}
	err = try(c.ctx, func() error {
		if c.body == nil {
			if err := c.connect(); err != nil {
				return err
			}
		}
		n, err = c.body.Read(p[:min(int64(len(p)), c.end-c.next)])
		if n > 0 {
			return nil
		}
		c.Close()
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	})
	c.next += int64(n)
	if err != nil {
		err = ml.Errorf(ml.Unavailable, "The input %s cannot be read: %v.", c.file.URI(), err)
	}
	return n, err
}

func (c *content) connect() error {
	address := objectPath(c.file.Bucket, c.file.Name) + "?alt=media&generation=" + strconv.FormatInt(c.file.Generation, 10)
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	// Whoever takes gzip gets what is stored as gzip as it is stored.
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", c.next, c.end-1))
	res, err := c.b.ask(req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusPartialContent && (c.next > 0 || c.end < c.file.Size) {
		res.Body.Close()
		return &refused{http.StatusBadRequest, "the bucket gave the whole object where a part was asked for"}
	}
	c.body = res.Body
	return nil
}

// extend lets the content go on for more bytes behind its end; false at the end of
// the object.
func (c *content) extend(more int64) bool {
	if c.end >= c.file.Size {
		return false
	}
	c.Close()
	c.end = min(c.end+more, c.file.Size)
	return true
}

// skip steps over bytes: over many of them without reading.
func (c *content) skip(n int64) {
	c.Close()
	c.next += n
}

// Close implements io.Closer.
func (c *content) Close() error {
	if c.body == nil {
		return nil
	}
	body := c.body
	c.body = nil
	return body.Close()
}
