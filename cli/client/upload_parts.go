package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth/ml"
)

// maxParts is how many objects one can be composed of.
const maxParts = 32

// partsFolder is where the parts of large uploads are until they are composed.
const partsFolder = ".hearth-parts/"

// uploadParts writes an object from a large file in parts, several at once:
// each becomes an object of its own for a while. The name of the upload is the
// same for the same file and target, so that after an interruption the parts
// that are there count.
func (c *Client) uploadParts(ctx context.Context, u UploadRequest, whole section, name string) (*Object, error) {
	folder := partsFolder + name + "/"
	there, err := c.partsThere(ctx, u.Object.Bucket)
	if err != nil {
		return nil, err
	}
	size := max(c.sizes.part, (whole.size+maxParts-1)/maxParts)
	parts := make([]part, (whole.size+size-1)/size)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(u.Parallel)
	for i := range parts {
		p := &parts[i]
		p.section = section{whole.file, int64(i) * size, min(size, whole.size-int64(i)*size)}
		p.object = Object{Bucket: u.Object.Bucket, Name: fmt.Sprintf("%s%02d", folder, i)}
		group.Go(func() error { return c.uploadPart(groupCtx, u, p, there[p.object.Name]) })
	}
	err = group.Wait()
	var made *Object
	if err == nil {
		made, err = c.compose(ctx, u, parts)
	}
	if !goesOn(err) {
		c.removeParts(context.WithoutCancel(ctx), parts)
	}
	return made, err
}

// part is a part of a file and the object that it becomes for a while.
type part struct {
	section section
	sum     Checksum
	object  Object
}

// partsThere gives the parts in a bucket by their names, and deletes those with
// which nobody went on.
func (c *Client) partsThere(ctx context.Context, bucket string) (map[string]Object, error) {
	listing, err := c.List(ctx, bucket, partsFolder, true)
	if err != nil {
		return nil, err
	}
	there := map[string]Object{}
	for _, o := range listing.Objects {
		if time.Since(o.Updated.Time) < journalLife {
			there[o.Name] = o
			continue
		}
		if err := c.DeleteObject(ctx, o); err != nil && ml.KindOf(err) != ml.NotFound {
			return nil, err
		}
	}
	return there, nil
}

// uploadPart writes one part, unless it is there.
func (c *Client) uploadPart(ctx context.Context, u UploadRequest, p *part, there Object) (err error) {
	if p.sum, err = p.section.checksum(); err != nil {
		return err
	}
	if there.CRC32C == p.sum.String() && int64(there.Size) == p.section.size {
		p.object = there
		u.Progress.skip(p.section.size)
		return nil
	}
	o, err := c.uploadSection(ctx, UploadRequest{Object: p.object, Progress: u.Progress}, p.section)
	if err == nil {
		p.object = *o
	}
	return err
}

// composeRequest asks for one object made of several.
type composeRequest struct {
	Sources     []composeSource `json:"sourceObjects"`
	Destination Object          `json:"destination"`
}

type composeSource struct {
	Name       string   `json:"name"`
	Generation ml.Int64 `json:"generation"`
}

// compose makes the object of its parts. DATA_LOSS if that is not the file.
func (c *Client) compose(ctx context.Context, u UploadRequest, parts []part) (*Object, error) {
	var sum Checksum
	request := composeRequest{Destination: u.Object.attributes()}
	for _, p := range parts {
		request.Sources = append(request.Sources, composeSource{p.object.Name, p.object.Generation})
		sum = sum.followedBy(p.sum, p.section.size)
	}
	out := new(Object)
	path := objectPath(u.Object.Bucket, u.Object.Name) + "/compose?" + conditions(u.IfAbsent).Encode()
	if err := c.call(ctx, http.MethodPost, path, request, out); err != nil {
		return nil, err
	}
	out.Bucket = u.Object.Bucket
	if err := sum.check(out.CRC32C, *out); err != nil {
		return nil, errors.Join(err, c.DeleteObject(ctx, *out))
	}
	return out, nil
}

// goesOn reports whether the next run can go on after an error: the connection
// or this program was cut off.
func goesOn(err error) bool {
	var unreachable *UnreachableError
	return errors.Is(err, context.Canceled) || errors.As(err, &unreachable) || ml.KindOf(err) == ml.Unavailable
}

// removeParts deletes parts. What it cannot delete, a later upload does.
func (c *Client) removeParts(ctx context.Context, parts []part) {
	for _, p := range parts {
		_ = c.DeleteObject(ctx, p.object)
	}
}
