package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"hearth/ml"
)

// Object is what Cloud Storage tells of an object.
type Object struct {
	Bucket             string            `json:"bucket,omitempty"`
	Name               string            `json:"name,omitempty"`
	Size               ml.Int64          `json:"size,omitempty"`
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	Generation         ml.Int64          `json:"generation,omitempty"`
	Metageneration     ml.Int64          `json:"metageneration,omitempty"`
	TimeCreated        ml.Timestamp      `json:"timeCreated,omitzero"`
	Updated            ml.Timestamp      `json:"updated,omitzero"`
	ComponentCount     int               `json:"componentCount,omitempty"`
	MD5Hash            string            `json:"md5Hash,omitempty"`
	CRC32C             string            `json:"crc32c,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
}

// URI gives gs://bucket/name.
func (o Object) URI() string { return "gs://" + o.Bucket + "/" + o.Name }

// attributes gives what a client may say of an object that it writes.
func (o Object) attributes() Object {
	return Object{
		Name: o.Name, ContentType: o.ContentType, ContentEncoding: o.ContentEncoding, ContentDisposition: o.ContentDisposition,
		ContentLanguage: o.ContentLanguage, CacheControl: o.CacheControl, Metadata: o.Metadata, CRC32C: o.CRC32C,
	}
}

func objectPath(bucket, name string) string { return bucketPath(bucket) + "/o/" + segment(name) }

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
	err := c.call(ctx, http.MethodGet, objectPath(bucket, name), nil, out)
	out.Bucket = bucket
	return out, err
}

// UpdateObject changes an object's attributes. fields is as PATCH takes it: what
// is not there stays, null takes away, metadata is merged key by key.
func (c *Client) UpdateObject(ctx context.Context, bucket, name string, fields map[string]any) (*Object, error) {
	out := new(Object)
	return out, c.call(ctx, http.MethodPatch, objectPath(bucket, name), fields, out)
}

// DeleteObject deletes an object; only that generation, if o has one.
// NOT_FOUND, FAILED_PRECONDITION for another generation.
func (c *Client) DeleteObject(ctx context.Context, o Object) error {
	path := objectPath(o.Bucket, o.Name)
	if o.Generation != 0 {
		path += "?ifGenerationMatch=" + strconv.FormatInt(int64(o.Generation), 10)
	}
	return c.call(ctx, http.MethodDelete, path, nil, nil)
}

// CopyRequest asks for a copy of From, or for From to be moved.
type CopyRequest struct {
	// From names the source: of its generation, if there is one here.
	From Object
	// To names the target.
	To Object
	// Attributes replaces those of the source; nil keeps them.
	Attributes *Object
	// IfAbsent makes the copy fail with FAILED_PRECONDITION if there is a target.
	IfAbsent bool
}

func (r CopyRequest) query() url.Values {
	q := conditions(r.IfAbsent)
	if r.From.Generation != 0 {
		q.Set("ifSourceGenerationMatch", strconv.FormatInt(int64(r.From.Generation), 10))
	}
	return q
}

// conditions gives the parameters of a call that may only make a new object.
func conditions(ifAbsent bool) url.Values {
	q := url.Values{}
	if ifAbsent {
		q.Set("ifGenerationMatch", "0")
	}
	return q
}

// CopyObject copies an object inside the daemon.
func (c *Client) CopyObject(ctx context.Context, r CopyRequest) (*Object, error) {
	path := objectPath(r.From.Bucket, r.From.Name) + "/rewriteTo/b/" + segment(r.To.Bucket) + "/o/" + segment(r.To.Name)
	query := r.query()
	var attributes any
	if r.Attributes != nil {
		attributes = r.Attributes.attributes()
	}
	for {
		var out struct {
			Done         bool    `json:"done"`
			RewriteToken string  `json:"rewriteToken"`
			Resource     *Object `json:"resource"`
		}
		if err := c.call(ctx, http.MethodPost, path+"?"+query.Encode(), attributes, &out); err != nil {
			return nil, err
		}
		if out.Done || out.RewriteToken == "" {
			return out.Resource, nil
		}
		query.Set("rewriteToken", out.RewriteToken)
	}
}

// MoveObject gives an object another name in its bucket.
func (c *Client) MoveObject(ctx context.Context, r CopyRequest) (*Object, error) {
	path := objectPath(r.From.Bucket, r.From.Name) + "/moveTo/o/" + segment(r.To.Name)
	out := new(Object)
	return out, c.call(ctx, http.MethodPost, path+"?"+r.query().Encode(), nil, out)
}
