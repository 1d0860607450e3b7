package gcsv1

import (
	"net/http"

	"hearth/ml"
	"hearth/storage/object"
)

// getObject gives an object's resource, or its content if that was asked for.
func getObject(c *call) (any, error) {
	if boolean(c.q, "softDeleted") {
		return nil, unimplemented("Soft delete is")
	}
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
		err = c.etagConditions(o.Generation, o.Metageneration)
	}
	if err != nil {
		return nil, err
	}
	return c.objectReply(o), nil
}

// insertWithoutContent refuses what clients do not send: content comes by the
// paths below /upload.
func insertWithoutContent(*call) (any, error) {
	return nil, &ml.Error{Kind: ml.InvalidArgument, Message: "Uploads must be sent to the upload URL: the same path behind /upload.", Err: wrongURLForUpload}
}

// updateObject changes attributes: PATCH merges, PUT replaces. The storage class
// changes only with a rewrite.
func updateObject(c *call) (any, error) {
	cond, wrong, err := c.selectedForWrite()
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
			class, custom := a.StorageClass, a.CustomTime
			if c.r.Method == http.MethodPut {
				*a = object.Attributes{CustomTime: custom}
			}
			err := in.apply(a)
			a.StorageClass = class
			return err
		},
	})
	if err != nil {
		return nil, wrong(err)
	}
	return c.objectReply(o), nil
}

func deleteObject(c *call) (any, error) {
	cond, wrong, err := c.selectedForWrite()
	if err != nil {
		return nil, err
	}
	return status(http.StatusNoContent), wrong(c.Store.Delete(c.r.Context(), c.bucket, c.object, cond))
}
