package gcsv1

import (
	"context"
	"errors"

	"hearth/ml"
	"hearth/storage/object"
)

// rewriteObject copies. Copies are never so slow that a client would have to
// call again, so it is always done.
func rewriteObject(c *call) (any, error) {
	o, err := c.copy()
	if err != nil {
		return nil, err
	}
	return rewriteAnswer{c.objectReply(o)}, nil
}

func copyObject(c *call) (any, error) {
	o, err := c.copy()
	if err != nil {
		return nil, err
	}
	return c.objectReply(o), nil
}

// copy makes the copy that the path asks for. A body replaces the attributes,
// but for a content type that it does not mention; one that mentions only the
// storage class changes only that.
func (c *call) copy() (*object.Object, error) {
	cond, err := conditions(c.q, "")
	if err != nil {
		return nil, err
	}
	look, err := c.source()
	if err != nil {
		return nil, err
	}
	var in objectInput
	if err := decodeJSON(body{c.r.Body}, &in); err != nil {
		return nil, err
	}
	return c.derive(look, func(ctx context.Context, src []*object.Object) (*object.Object, error) {
		req := object.CopyRequest{FromBucket: c.bucket, From: c.object, FromIf: exactly(src[0]), Bucket: c.toBucket, Name: c.toObject, If: cond}
		if req.Attributes, err = in.copied(src[0].Attributes); err != nil {
			return nil, err
		}
		return c.Store.Copy(ctx, req)
	})
}

// copied gives the attributes of a copy; nil if they are those of the source.
func (in *objectInput) copied(from object.Attributes) (*object.Attributes, error) {
	a := from.Clone()
	switch {
	case in.setsAttributes():
		a = object.Attributes{ContentType: a.ContentType, StorageClass: a.StorageClass}
	case !in.StorageClass.set:
		return nil, in.check()
	}
	return &a, in.apply(&a)
}

// moveObject renames within a bucket.
func moveObject(c *call) (any, error) {
	cond, err := conditions(c.q, "")
	if err != nil {
		return nil, err
	}
	look, err := c.source()
	if err != nil {
		return nil, err
	}
	if c.object == c.toObject {
		return nil, ml.FieldErrorf("destinationObject", "An object cannot be moved onto itself.")
	}
	o, err := c.derive(look, func(ctx context.Context, src []*object.Object) (*object.Object, error) {
		return c.Store.Move(ctx, object.MoveRequest{Bucket: c.bucket, From: c.object, To: c.toObject, FromIf: exactly(src[0]), If: cond})
	})
	if err != nil {
		return nil, err
	}
	return c.objectReply(o), nil
}

// source gives a function that looks at the object of the path and checks what
// the query asks of it.
func (c *call) source() (func(context.Context) ([]*object.Object, error), error) {
	from, wrong, err := selected(c.q, "sourceGeneration", "Source")
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) ([]*object.Object, error) {
		src, err := c.Store.Stat(ctx, c.bucket, c.object)
		if err == nil {
			err = wrong(from.Check(src))
		}
		return []*object.Object{src}, err
	}, nil
}

// exactly is the condition that an object is in the state that was seen.
func exactly(o *object.Object) object.Conditions {
	return object.Conditions{GenerationMatch: &o.Generation, MetagenerationMatch: &o.Metageneration}
}

// maxRaces bounds how often derive begins anew.
const maxRaces = 5

// derive makes an object out of others. look finds these; made must insist that
// they are still the same, so that it is known what was read. If they are not,
// both are called again.
func (c *call) derive(look func(context.Context) ([]*object.Object, error), made func(context.Context, []*object.Object) (*object.Object, error)) (*object.Object, error) {
	ctx := c.r.Context()
	for range maxRaces {
		src, err := look(ctx)
		if err != nil {
			return nil, err
		}
		o, err := made(ctx, src)
		if err == nil {
			for _, s := range src {
				c.observeRead(s, s.Size)
			}
			c.observeWrite(o)
			return o, nil
		}
		if !errors.Is(err, object.ErrConditionNotMet) || !c.changed(ctx, src) {
			return nil, err
		}
	}
	return nil, ml.Errorf(ml.Unavailable, "The source is being changed again and again. Please try later.")
}

// changed reports whether one of the objects is not what it was.
func (c *call) changed(ctx context.Context, objects []*object.Object) bool {
	for _, o := range objects {
		now, err := c.Store.Stat(ctx, o.Bucket, o.Name)
		if err != nil || exactly(o).Check(now) != nil {
			return true
		}
	}
	return false
}
