package gcsv1

import (
	"net/http"
	"strconv"
	"strings"

	"hearth/ml"
	"hearth/storage/object"
)

type bucketList struct {
	Kind          string           `json:"kind"`
	NextPageToken string           `json:"nextPageToken,omitempty"`
	Items         []map[string]any `json:"items,omitempty"`
}

func createBucket(c *call) (any, error) {
	if boolean(c.q, "enableObjectRetention") {
		return nil, unimplemented("Retention is")
	}
	in, err := c.bucketInput()
	if err != nil {
		return nil, err
	}
	name, err := in.newName()
	if err != nil {
		return nil, err
	}
	b := object.Bucket{Name: name}
	if err := in.replace(&b); err != nil {
		return nil, err
	}
	made, err := c.Store.CreateBucket(c.r.Context(), b)
	if err != nil {
		return nil, err
	}
	return c.bucketReply(made), nil
}

func getBucket(c *call) (any, error) {
	if boolean(c.q, "softDeleted") {
		return nil, unimplemented("Soft delete is")
	}
	cond, err := conditions(c.q, "")
	if err != nil {
		return nil, err
	}
	b, err := c.Store.Bucket(c.r.Context(), c.bucket)
	if err == nil {
		err = object.Conditions{MetagenerationMatch: cond.MetagenerationMatch, MetagenerationNotMatch: cond.MetagenerationNotMatch}.
			Check(&object.Object{Metageneration: b.Metageneration})
	}
	if err == nil {
		err = c.etagConditions(bucketGeneration(b), b.Metageneration)
	}
	if err != nil {
		return nil, err
	}
	return c.bucketReply(b), nil
}

// updateBucket changes what is kept of a bucket: PATCH merges, PUT replaces.
func updateBucket(c *call) (any, error) {
	cond, err := conditions(c.q, "")
	if err != nil {
		return nil, err
	}
	in, err := c.bucketInput()
	if err != nil {
		return nil, err
	}
	b, err := c.Store.UpdateBucket(c.r.Context(), object.BucketUpdate{Name: c.bucket, If: cond, Change: func(b *object.Bucket) error {
		if err := c.etagConditions(bucketGeneration(b), b.Metageneration); err != nil {
			return err
		}
		if c.r.Method == http.MethodPut {
			return in.replace(b)
		}
		return in.merge(b)
	}})
	if err != nil {
		return nil, err
	}
	return c.bucketReply(b), nil
}

func deleteBucket(c *call) (any, error) {
	cond, err := conditions(c.q, "")
	if err != nil {
		return nil, err
	}
	if c.r.Header.Get("If-Match") != "" {
		b, err := c.Store.Bucket(c.r.Context(), c.bucket)
		if err == nil {
			err = c.etagConditions(bucketGeneration(b), b.Metageneration)
		}
		if err != nil {
			return nil, err
		}
		if cond.MetagenerationMatch == nil {
			cond.MetagenerationMatch = &b.Metageneration
		}
	}
	return status(http.StatusNoContent), c.Store.DeleteBucket(c.r.Context(), c.bucket, cond)
}

func listBuckets(c *call) (any, error) {
	if boolean(c.q, "softDeleted") {
		return nil, unimplemented("Soft delete is")
	}
	size, err := pageSize(c.q)
	if err != nil {
		return nil, err
	}
	after, err := parsePageToken(c.q.Get("pageToken"))
	if err != nil {
		return nil, err
	}
	all, err := c.Store.Buckets(c.r.Context())
	if err != nil {
		return nil, err
	}
	res, last := &bucketList{Kind: "storage#buckets"}, ""
	for _, b := range all {
		if !strings.HasPrefix(b.Name, c.q.Get("prefix")) || b.Name <= after {
			continue
		}
		if len(res.Items) == size {
			res.NextPageToken = pageToken(last)
			break
		}
		res.Items = append(res.Items, c.bucketResource(b))
		last = b.Name
	}
	return res, nil
}

// storageLayout says that folders are only names here, which TensorFlow asks.
func storageLayout(c *call) (any, error) {
	b, err := c.Store.Bucket(c.r.Context(), c.bucket)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"kind": "storage#storageLayout", "bucket": b.Name, "location": b.Location, "locationType": locationType,
		"hierarchicalNamespace": map[string]bool{"enabled": false},
	}, nil
}

const locationType = "region"

// bucketGeneration stands for the generation that Hearth does not count for
// buckets: one that was deleted and made again has another.
func bucketGeneration(b *object.Bucket) int64 { return b.Created.UnixMicro() }

func (c *call) bucketReply(b *object.Bucket) map[string]any {
	res := c.bucketResource(b)
	c.w.Header().Set("Etag", `"`+etag(bucketGeneration(b), b.Metageneration)+`"`)
	return res
}

// bucketResource is a bucket as the API shows it.
func (c *call) bucketResource(b *object.Bucket) map[string]any {
	res := map[string]any{}
	for name, value := range b.Extra {
		res[name] = value
	}
	for name, value := range map[string]string{
		"kind":           "storage#bucket",
		"id":             b.Name,
		"selfLink":       c.base() + "/storage/v1/b/" + b.Name,
		"name":           b.Name,
		"projectNumber":  projectNumber,
		"generation":     strconv.FormatInt(bucketGeneration(b), 10),
		"metageneration": strconv.FormatInt(b.Metageneration, 10),
		"location":       b.Location,
		"locationType":   locationType,
		"storageClass":   b.StorageClass,
		"etag":           etag(bucketGeneration(b), b.Metageneration),
		"timeCreated":    timestamp(b.Created),
		"updated":        timestamp(b.Updated),
	} {
		if value != "" {
			res[name] = value
		}
	}
	if len(b.Labels) > 0 {
		res["labels"] = b.Labels
	}
	return res
}

// bucketInput reads what the client says of a bucket.
func (c *call) bucketInput() (bucketInput, error) {
	var in bucketInput
	if err := decodeJSON(body{c.r.Body}, &in); err != nil {
		return nil, err
	}
	return in, in.check()
}

// wrongField turns the error of reading a field into one that names it.
func wrongField(name string, err error) error {
	return &ml.Error{Kind: ml.InvalidArgument, Field: name, Message: "Invalid value for the field " + name + " of a bucket.", Err: err}
}
