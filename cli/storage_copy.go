package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

// copier carries out transfers.
type copier struct {
	c      *cli.Context
	daemon *client.Client
	// parallel is how many requests may be under way at once.
	parallel int
	// uploadParts sends large files in parts. The bucket writes these twice, so
	// it pays only where a single connection is slower than the disk.
	uploadParts bool
	// move deletes what has been copied.
	move bool
	// absent leaves what is at the destination already as it is.
	absent bool
	// attributes are for the objects that are written, as far as they are set.
	attributes client.Object
}

// newCopier makes a copier as the flags want it.
func newCopier(c *cli.Context, daemon *client.Client) (*copier, error) {
	metadata, err := pairs(c, "custom-metadata")
	if err != nil {
		return nil, err
	}
	return &copier{
		c: c, daemon: daemon, absent: c.Bool("no-clobber"),
		parallel: parallel(c), uploadParts: c.IsSet("parallel") || !daemon.OnThisMachine(),
		attributes: client.Object{ContentType: c.String("content-type"), CacheControl: c.String("cache-control"), Metadata: metadata},
	}, nil
}

// errSkipped says that the destination was there already.
var errSkipped = ml.Errorf(ml.AlreadyExists, "there already")

// copy carries out one transfer, which may use some requests at once.
func (j *copier) copy(ctx context.Context, t transfer, parallel int, progress client.Progress) error {
	if t.refused != nil {
		return t.refused
	}
	if j.absent {
		if there, err := j.there(ctx, t.to); err != nil || there {
			return errOr(err, errSkipped)
		}
	}
	err := j.transport(ctx, t, parallel, progress)
	if j.absent && t.to.remote() && ml.KindOf(err) == ml.FailedPrecondition {
		return errSkipped
	}
	return err
}

func errOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func (j *copier) there(ctx context.Context, to location) (bool, error) {
	if to.remote() {
		_, err := j.daemon.Object(ctx, to.bucket, to.object)
		if ml.KindOf(err) == ml.NotFound {
			return false, nil
		}
		return err == nil, err
	}
	_, err := os.Lstat(to.local)
	return err == nil && !to.stream(), nil
}

func (j *copier) transport(ctx context.Context, t transfer, parallel int, progress client.Progress) error {
	switch {
	case !t.from.remote():
		return j.upload(ctx, t, parallel, progress)
	case t.to.remote():
		return j.copyObject(ctx, t, progress)
	}
	return j.download(ctx, t, parallel, progress)
}

func (j *copier) upload(ctx context.Context, t transfer, parallel int, progress client.Progress) error {
	u := client.UploadRequest{Object: j.attributes, IfAbsent: j.absent, Progress: progress}
	if j.uploadParts {
		u.Parallel = parallel
	}
	u.Object.Bucket, u.Object.Name = t.to.bucket, t.to.object
	if t.from.stream() {
		_, err := j.daemon.Upload(ctx, u, j.c.App.Reader)
		return err
	}
	if u.Object.ContentType == "" {
		u.Object.ContentType = contentType(t.from.local)
	}
	if !t.modified.IsZero() {
		u.Object.Metadata = withTime(u.Object.Metadata, t.modified)
	}
	if _, err := j.daemon.UploadFile(ctx, u, t.from.local); err != nil || !j.move {
		return err
	}
	return os.Remove(t.from.local)
}

func (j *copier) download(ctx context.Context, t transfer, parallel int, progress client.Progress) error {
	r := client.DownloadRequest{Object: t.object, Parallel: parallel, Progress: progress}
	if !j.move {
		// Listings age: whatever the name stands for now is as good.
		r.Object.Generation = 0
	}
	if t.to.stream() {
		return j.daemon.Download(ctx, r, j.c.App.Writer)
	}
	if err := j.daemon.DownloadFile(ctx, r, t.to.local); err != nil {
		return err
	}
	if !t.modified.IsZero() {
		if err := os.Chtimes(t.to.local, time.Time{}, t.modified); err != nil {
			return fmt.Errorf("download: %w", err)
		}
	}
	if j.move {
		return j.daemon.DeleteObject(ctx, t.object)
	}
	return nil
}

// copyObject copies or moves inside the bucket.
func (j *copier) copyObject(ctx context.Context, t transfer, progress client.Progress) error {
	r := client.CopyRequest{
		From:       client.Object{Bucket: t.from.bucket, Name: t.from.object},
		To:         client.Object{Bucket: t.to.bucket, Name: t.to.object},
		Attributes: j.changed(t.object), IfAbsent: j.absent,
	}
	if j.move {
		r.From.Generation = t.object.Generation
	}
	var err error
	if j.move && t.from.bucket == t.to.bucket && r.Attributes == nil {
		_, err = j.daemon.MoveObject(ctx, r)
	} else {
		_, err = j.daemon.CopyObject(ctx, r)
		if err == nil && j.move {
			err = j.daemon.DeleteObject(ctx, t.object)
		}
	}
	if err == nil {
		progress(t.size, false)
	}
	return err
}

// changed gives an object's attributes with those that flags set; nil if they
// set none.
func (j *copier) changed(o client.Object) *client.Object {
	a := j.attributes
	if a.ContentType == "" && a.CacheControl == "" && a.Metadata == nil {
		return nil
	}
	if a.ContentType != "" {
		o.ContentType = a.ContentType
	}
	if a.CacheControl != "" {
		o.CacheControl = a.CacheControl
	}
	if a.Metadata != nil {
		o.Metadata = a.Metadata
	}
	return &o
}
