package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strings"

	"hearth/ml"
)

// Bucket is a bucket as Cloud Storage shows it.
type Bucket struct {
	Name         string       `json:"name"`
	TimeCreated  ml.Timestamp `json:"timeCreated,omitzero"`
	Updated      ml.Timestamp `json:"updated,omitzero"`
	Location     string       `json:"location,omitempty"`
	StorageClass string       `json:"storageClass,omitempty"`
}

// Object is what Cloud Storage tells of an object.
type Object struct {
	Bucket      string       `json:"bucket,omitempty"`
	Name        string       `json:"name"`
	Size        ml.Int64     `json:"size,omitempty"`
	ContentType string       `json:"contentType,omitempty"`
	Generation  ml.Int64     `json:"generation,omitempty"`
	Updated     ml.Timestamp `json:"updated,omitzero"`
	MD5Hash     string       `json:"md5Hash,omitempty"`
	CRC32C      string       `json:"crc32c,omitempty"`
}

// URI gives gs://bucket/name.
func (o Object) URI() string { return "gs://" + o.Bucket + "/" + o.Name }

func bucketPath(bucket string) string { return "/storage/v1/b/" + segment(bucket) }

func objectPath(bucket, name string) string { return bucketPath(bucket) + "/o/" + segment(name) }

// CreateBucket makes a bucket. ALREADY_EXISTS.
func (c *Client) CreateBucket(ctx context.Context, name string) (*Bucket, error) {
	out := new(Bucket)
	path := "/storage/v1/b?" + url.Values{"project": {c.project}}.Encode()
	return out, c.call(ctx, http.MethodPost, path, Bucket{Name: name}, out)
}

// Bucket gives a bucket. NOT_FOUND.
func (c *Client) Bucket(ctx context.Context, name string) (*Bucket, error) {
	out := new(Bucket)
	return out, c.call(ctx, http.MethodGet, bucketPath(name), nil, out)
}

// Buckets gives the project's buckets.
func (c *Client) Buckets(ctx context.Context) ([]Bucket, error) {
	buckets, _, err := listStorage[Bucket](ctx, c, "/storage/v1/b", url.Values{"project": {c.project}})
	return buckets, err
}

// DeleteBucket deletes an empty bucket.
func (c *Client) DeleteBucket(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, bucketPath(name), nil, nil)
}

// Listing is what lies under a prefix: objects, and with a delimiter the
// folders next to them.
type Listing struct {
	Objects []Object
	Folders []string
}

// List gives what lies under a prefix; with flat, also what lies deeper, and
// then no folders.
func (c *Client) List(ctx context.Context, bucket, prefix string, flat bool) (*Listing, error) {
	query := url.Values{"prefix": {prefix}}
	if !flat {
		query.Set("delimiter", "/")
	}
	objects, folders, err := listStorage[Object](ctx, c, bucketPath(bucket)+"/o", query)
	if err != nil {
		return nil, err
	}
	for i := range objects {
		objects[i].Bucket = bucket
	}
	return &Listing{Objects: objects, Folders: folders}, nil
}

// listStorage reads all pages of one of Cloud Storage's collections.
func listStorage[T any](ctx context.Context, c *Client, path string, query url.Values) (items []T, prefixes []string, err error) {
	for {
		var page struct {
			Items         []T      `json:"items"`
			Prefixes      []string `json:"prefixes"`
			NextPageToken string   `json:"nextPageToken"`
		}
		if err := c.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, nil, err
		}
		items, prefixes = append(items, page.Items...), append(prefixes, page.Prefixes...)
		if page.NextPageToken == "" {
			return items, prefixes, nil
		}
		query.Set("pageToken", page.NextPageToken)
	}
}

// Object gives what is known of an object. NOT_FOUND.
func (c *Client) Object(ctx context.Context, bucket, name string) (*Object, error) {
	out := new(Object)
	return out, c.call(ctx, http.MethodGet, objectPath(bucket, name), nil, out)
}

// DeleteObject deletes an object. NOT_FOUND.
func (c *Client) DeleteObject(ctx context.Context, bucket, name string) error {
	return c.call(ctx, http.MethodDelete, objectPath(bucket, name), nil, nil)
}

// CopyObject copies an object inside the daemon.
func (c *Client) CopyObject(ctx context.Context, from, to Object) (*Object, error) {
	path := objectPath(from.Bucket, from.Name) + "/rewriteTo/b/" + segment(to.Bucket) + "/o/" + segment(to.Name)
	query := url.Values{}
	for {
		var out struct {
			Done         bool    `json:"done"`
			RewriteToken string  `json:"rewriteToken"`
			Resource     *Object `json:"resource"`
		}
		if err := c.call(ctx, http.MethodPost, path+"?"+query.Encode(), nil, &out); err != nil {
			return nil, err
		}
		if out.Done || out.RewriteToken == "" {
			return out.Resource, nil
		}
		query.Set("rewriteToken", out.RewriteToken)
	}
}

// castagnoli is the polynomial of the checksums in Cloud Storage's answers.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Download writes an object's bytes to w. DATA_LOSS if they are not those that
// the server has a checksum of.
func (c *Client) Download(ctx context.Context, bucket, name string, w io.Writer) error {
	req, err := c.request(ctx, http.MethodGet, objectPath(bucket, name)+"?alt=media", nil)
	if err != nil {
		return err
	}
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(io.MultiWriter(w, sum), resp.Body); err != nil {
		return errors.Join(ml.Errorf(ml.Unavailable, "the download of gs://%s/%s was cut off", bucket, name), err)
	}
	want := binary.BigEndian.AppendUint32(nil, sum.Sum32())
	for _, header := range resp.Header.Values("X-Goog-Hash") {
		for hash := range strings.SplitSeq(header, ",") {
			got, ok := strings.CutPrefix(strings.TrimSpace(hash), "crc32c=")
			if b, err := base64.StdEncoding.DecodeString(got); ok && (err != nil || !bytes.Equal(b, want)) {
				return ml.Errorf(ml.DataLoss, "gs://%s/%s arrived damaged: its checksum is not %s", bucket, name, got)
			}
		}
	}
	return nil
}
