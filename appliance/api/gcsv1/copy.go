package gcsv1

import (
	"strconv"

	"hearth/ml"
	"hearth/storage/object"
)

type rewriteResource struct {
	Kind                string          `json:"kind,omitempty"`
	TotalBytesRewritten string          `json:"totalBytesRewritten,omitempty"`
	ObjectSize          string          `json:"objectSize,omitempty"`
	Done                bool            `json:"done,omitempty"`
	Resource            *objectResource `json:"resource,omitempty"`
}

// rewriteObject copies. Copies are never so slow that a client would have to
// call again, so it is always done.
func rewriteObject(c *call) (any, error) {
	o, err := c.copy()
	if err != nil {
		return nil, err
	}
	size := strconv.FormatInt(o.Size, 10)
	return &rewriteResource{"storage#rewriteResponse", size, size, true, c.objectResource(o)}, nil
}

func copyObject(c *call) (any, error) {
	o, err := c.copy()
	if err != nil {
		return nil, err
	}
	return c.objectReply(o), nil
}

// copy makes the copy that the path asks for. A body replaces the attributes,
// but for a content type that it does not mention.
func (c *call) copy() (*object.Object, error) {
	from, wrong, err := selected(c.q, "sourceGeneration", "Source")
	if err != nil {
		return nil, err
	}
	cond, err := conditions(c.q, "")
	if err != nil {
		return nil, err
	}
	var in objectInput
	if err := decodeJSON(body{c.r.Body}, &in); err != nil {
		return nil, err
	}
	req := object.CopyRequest{FromBucket: c.bucket, From: c.object, FromIf: from, Bucket: c.toBucket, Name: c.toObject, If: cond}
	if in.setsAttributes() {
		if req.Attributes, err = c.copiedAttributes(&in); err != nil {
			return nil, err
		}
	}
	o, err := c.Store.Copy(c.r.Context(), req)
	return o, wrong(err)
}

func (c *call) copiedAttributes(in *objectInput) (*object.Attributes, error) {
	var a object.Attributes
	if !in.ContentType.set {
		src, err := c.Store.Stat(c.r.Context(), c.bucket, c.object)
		if err != nil {
			return nil, err
		}
		a.ContentType = src.ContentType
	}
	return &a, in.apply(&a)
}

// moveObject renames within a bucket: a copy, then the source goes. A crash
// between leaves both.
func moveObject(c *call) (any, error) {
	from, wrong, err := selected(c.q, "sourceGeneration", "Source")
	if err != nil {
		return nil, err
	}
	cond, err := conditions(c.q, "")
	if err != nil {
		return nil, err
	}
	if c.object == c.toObject {
		return nil, ml.FieldErrorf("destinationObject", "An object cannot be moved onto itself.")
	}
	ctx := c.r.Context()
	src, err := c.Store.Stat(ctx, c.bucket, c.object)
	if err == nil {
		err = wrong(from.Check(src))
	}
	if err != nil {
		return nil, err
	}
	same := object.Conditions{GenerationMatch: &src.Generation}
	o, err := c.Store.Copy(ctx, object.CopyRequest{FromBucket: c.bucket, From: c.object, FromIf: same, Bucket: c.bucket, Name: c.toObject, If: cond})
	if err != nil {
		return nil, err
	}
	if err := c.Store.Delete(ctx, c.bucket, c.object, same); err != nil && ml.KindOf(err) != ml.NotFound {
		return nil, err
	}
	return c.objectReply(o), nil
}

type composeInput struct {
	SourceObjects []composeSource `json:"sourceObjects"`
	Destination   objectInput     `json:"destination"`
}

type composeSource struct {
	Name          string               `json:"name"`
	Generation    *ml.Int64            `json:"generation"`
	Preconditions *composePrecondition `json:"objectPreconditions"`
	// Precondition is how TensorFlow spells it.
	Precondition *composePrecondition `json:"objectPrecondition"`
}

type composePrecondition struct {
	IfGenerationMatch *ml.Int64 `json:"ifGenerationMatch"`
}

func (s composeSource) conditions() object.Conditions {
	g := s.Generation
	for _, p := range []*composePrecondition{s.Preconditions, s.Precondition} {
		if g == nil && p != nil {
			g = p.IfGenerationMatch
		}
	}
	return object.Conditions{GenerationMatch: (*int64)(g)}
}

func composeObject(c *call) (any, error) {
	cond, err := conditions(c.q, "")
	if err != nil {
		return nil, err
	}
	var in composeInput
	if err := decodeJSON(body{c.r.Body}, &in); err != nil {
		return nil, err
	}
	req := object.ComposeRequest{Bucket: c.bucket, Name: c.object, If: cond}
	if err := in.Destination.apply(&req.Attributes); err != nil {
		return nil, err
	}
	if req.Attributes.ContentType == "" {
		req.Attributes.ContentType = defaultContentType
	}
	for _, s := range in.SourceObjects {
		req.Sources = append(req.Sources, object.ComposeSource{Name: s.Name, If: s.conditions()})
	}
	o, err := c.Store.Compose(c.r.Context(), req)
	if err != nil {
		return nil, err
	}
	return c.objectReply(o), nil
}
