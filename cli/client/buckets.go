package client

import (
	"context"
	"net/http"
	"net/url"

	"hearth/ml"
)

// Bucket is a bucket as Cloud Storage shows it.
type Bucket struct {
	Name           string            `json:"name"`
	TimeCreated    ml.Timestamp      `json:"timeCreated,omitzero"`
	Updated        ml.Timestamp      `json:"updated,omitzero"`
	Metageneration ml.Int64          `json:"metageneration,omitempty"`
	Location       string            `json:"location,omitempty"`
	StorageClass   string            `json:"storageClass,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
}

func bucketPath(bucket string) string { return "/storage/v1/b/" + segment(bucket) }

// CreateBucket makes a bucket of a name, and a location, storage class and
// labels if they are given. ALREADY_EXISTS.
func (c *Client) CreateBucket(ctx context.Context, b Bucket) (*Bucket, error) {
	out := new(Bucket)
	path := "/storage/v1/b?" + url.Values{"project": {c.project}}.Encode()
	return out, c.call(ctx, http.MethodPost, path, b, out)
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

// LabelBucket sets a bucket's labels; those that are nil are taken away, those
// that are not mentioned stay.
func (c *Client) LabelBucket(ctx context.Context, name string, labels map[string]*string) (*Bucket, error) {
	out := new(Bucket)
	return out, c.call(ctx, http.MethodPatch, bucketPath(name), map[string]any{"labels": labels}, out)
}

// DeleteBucket deletes an empty bucket.
func (c *Client) DeleteBucket(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, bucketPath(name), nil, nil)
}
