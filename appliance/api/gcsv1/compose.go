package gcsv1

import (
	"context"
	"errors"

	"hearth/ml"
	"hearth/storage/object"
)

type composeInput struct {
	SourceObjects       []composeSource `json:"sourceObjects"`
	Destination         objectInput     `json:"destination"`
	DeleteSourceObjects bool            `json:"deleteSourceObjects"`
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

// check compares what is asked of a source with what there is.
func (s composeSource) check(o *object.Object) error {
	for _, p := range []*composePrecondition{s.Preconditions, s.Precondition} {
		if p != nil && p.IfGenerationMatch != nil && int64(*p.IfGenerationMatch) != o.Generation {
			return object.ErrConditionNotMet
		}
	}
	if s.Generation != nil && int64(*s.Generation) != o.Generation {
		return ml.Errorf(ml.NotFound, "There is no generation %d of the object %s.", int64(*s.Generation), s.Name)
	}
	return nil
}

// maxComposeSources is Cloud Storage's limit.
const maxComposeSources = 32

func composeObject(c *call) (any, error) {
	cond, err := conditions(c.q, "")
	if err != nil {
		return nil, err
	}
	var in composeInput
	if err := decodeJSON(body{c.r.Body}, &in); err != nil {
		return nil, err
	}
	if n := len(in.SourceObjects); n < 1 || n > maxComposeSources {
		return nil, ml.FieldErrorf("sourceObjects", "The number of source components provided (%d) must be from 1 to %d.", n, maxComposeSources)
	}
	req := object.ComposeRequest{Bucket: c.bucket, Name: c.object, If: cond}
	if err := in.Destination.apply(&req.Attributes); err != nil {
		return nil, err
	}
	if req.Attributes.ContentType == "" {
		req.Attributes.ContentType = defaultContentType
	}
	var sources []*object.Object
	o, err := c.derive(in.look(c), func(ctx context.Context, src []*object.Object) (*object.Object, error) {
		sources, req.Sources = src, nil
		for _, s := range src {
			req.Sources = append(req.Sources, object.ComposeSource{Name: s.Name, If: exactly(s)})
		}
		return c.Store.Compose(ctx, req)
	})
	if err != nil {
		return nil, err
	}
	if in.DeleteSourceObjects {
		if err := c.deleteSources(sources); err != nil {
			return nil, err
		}
	}
	return c.objectReply(o), nil
}

// look gives a function that finds the sources.
func (in *composeInput) look(c *call) func(context.Context) ([]*object.Object, error) {
	return func(ctx context.Context) ([]*object.Object, error) {
		var all []*object.Object
		for _, s := range in.SourceObjects {
			o, err := c.Store.Stat(ctx, c.bucket, s.Name)
			if err == nil {
				err = s.check(o)
			}
			if err != nil {
				return nil, err
			}
			all = append(all, o)
		}
		return all, nil
	}
}

// deleteSources removes what was composed. Sources that have changed since stay,
// and so does one that is the target.
func (c *call) deleteSources(sources []*object.Object) error {
	for _, s := range sources {
		err := c.Store.Delete(c.r.Context(), s.Bucket, s.Name, exactly(s))
		if err != nil && ml.KindOf(err) != ml.NotFound && !errors.Is(err, object.ErrConditionNotMet) {
			return err
		}
	}
	return nil
}
