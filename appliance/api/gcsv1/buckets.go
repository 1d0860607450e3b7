package gcsv1

import (
	"strings"

	"hearth/appliance/api"
	"hearth/ml"
	"hearth/storage/object"
)

type bucketInput struct {
	Name         string            `json:"name"`
	Location     string            `json:"location"`
	StorageClass string            `json:"storageClass"`
	Labels       map[string]string `json:"labels"`
}

type bucketList struct {
	Kind          string            `json:"kind,omitempty"`
	NextPageToken string            `json:"nextPageToken,omitempty"`
	Items         []*bucketResource `json:"items,omitempty"`
}

func createBucket(c *call) (any, error) {
	var in bucketInput
	if err := decodeJSON(body{c.r.Body}, &in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, ml.FieldErrorf("name", "Required")
	}
	if api.Reserved(in.Name) {
		return nil, ml.FieldErrorf("name", "Invalid bucket name: '%s': Hearth uses this path itself.", in.Name)
	}
	b := object.Bucket{Name: in.Name, Location: strings.ToUpper(in.Location), StorageClass: in.StorageClass, Labels: in.Labels}
	if b.Location == "" {
		b.Location = defaultLocation
	}
	if b.StorageClass == "" {
		b.StorageClass = defaultStorageClass
	}
	made, err := c.Store.CreateBucket(c.r.Context(), b)
	if err != nil {
		return nil, err
	}
	return c.bucketResource(made), nil
}

func getBucket(c *call) (any, error) {
	b, err := c.Store.Bucket(c.r.Context(), c.bucket)
	if err != nil {
		return nil, err
	}
	return c.bucketResource(b), nil
}

func deleteBucket(c *call) (any, error) {
	return status(204), c.Store.DeleteBucket(c.r.Context(), c.bucket, object.Conditions{})
}

func listBuckets(c *call) (any, error) {
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
	res := &bucketList{Kind: "storage#buckets"}
	for _, b := range all {
		if !strings.HasPrefix(b.Name, c.q.Get("prefix")) || b.Name <= after {
			continue
		}
		if len(res.Items) == size {
			res.NextPageToken = pageToken(res.Items[size-1].Name)
			break
		}
		res.Items = append(res.Items, c.bucketResource(b))
	}
	return res, nil
}

// storageLayout says that folders are only names here, which TensorFlow asks.
func storageLayout(c *call) (any, error) {
	b, err := c.Store.Bucket(c.r.Context(), c.bucket)
	if err != nil {
		return nil, err
	}
	type namespace struct {
		Enabled bool `json:"enabled"`
	}
	return &struct {
		Kind                  string    `json:"kind"`
		Bucket                string    `json:"bucket"`
		Location              string    `json:"location"`
		LocationType          string    `json:"locationType"`
		HierarchicalNamespace namespace `json:"hierarchicalNamespace"`
	}{"storage#storageLayout", b.Name, b.Location, "region", namespace{false}}, nil
}
