package gcsv1

import (
	"net/http"

	"hearth/storage/object"
)

// getObject gives an object's resource, or its content if that was asked for.
func getObject(c *call) (any, error) {
	if c.download || c.q.Get("alt") == "media" {
		return nil, download(c)
	}
	cond, wrong, err := selected(c.q, "generation", "")
	if err != nil {
		return nil, err
	}
	o, err := c.Store.Stat(c.r.Context(), c.bucket, c.object)
	if err == nil {
		err = wrong(cond.Check(o))
	}
	if err == nil {
		err = c.etagConditions(o)
	}
	if err != nil {
		return nil, err
	}
	return c.objectReply(o), nil
}

// objectReply is an object's resource, with its ETag among the headers.
func (c *call) objectReply(o *object.Object) *objectResource {
	res := c.objectResource(o)
	c.w.Header().Set("Etag", `"`+res.Etag+`"`)
	return res
}

// updateObject changes attributes: PATCH merges, PUT replaces.
func updateObject(c *call) (any, error) {
	cond, wrong, err := selected(c.q, "generation", "")
	if err != nil {
		return nil, err
	}
	var in objectInput
	if err := decodeJSON(body{c.r.Body}, &in); err != nil {
		return nil, err
	}
	o, err := c.Store.Update(c.r.Context(), object.UpdateRequest{
		Bucket: c.bucket, Name: c.object, If: cond,
		Change: func(a *object.Attributes) error {
			if c.r.Method == http.MethodPut {
				*a = object.Attributes{}
			}
			return in.apply(a)
		},
	})
	if err != nil {
		return nil, wrong(err)
	}
	return c.objectReply(o), nil
}

func deleteObject(c *call) (any, error) {
	cond, wrong, err := selected(c.q, "generation", "")
	if err != nil {
		return nil, err
	}
	return status(http.StatusNoContent), wrong(c.Store.Delete(c.r.Context(), c.bucket, c.object, cond))
}
