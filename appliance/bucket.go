package appliance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth/ml"
	"hearth/ml/respawn"
	"hearth/storage/object"
)

// openBucket opens the store that the configuration asks for. A server that
// cannot be reached is an error, except for our own: that is started first.
func (a *Appliance) openBucket(ctx context.Context) error {
	c := &a.config.Storage
	server := a.newMinIO()
	if c.Backend != backendMinIO || !c.MinIO.Run {
		// The configuration may have asked for one until now.
		if err := server.end(ctx); err != nil {
			return err
		}
	}
	var err error
	switch {
	case c.Backend == backendLocal:
		err = a.openLocal()
	case c.MinIO.Run:
		a.minio = server
		a.closeLater(server)
		err = a.openOwnMinIO(ctx)
	default:
		err = a.openMinIO(ctx, c.MinIO)
	}
	if err != nil {
		return fmt.Errorf("open the bucket: %s", explainBucket(err))
	}
	a.closeLater(a.objects)
	return nil
}

// explainBucket says for the operator what is wrong with the bucket, with the
// key of the configuration at fault.
func explainBucket(err error) string {
	var shown *ml.Error
	switch {
	case !errors.As(err, &shown):
		return err.Error()
	case shown.Field != "":
		return "storage.minio." + shown.Field + ": " + shown.Message
	}
	return shown.Message
}

func (a *Appliance) openLocal() error {
	total, _, err := diskSpace(a.config.Data)
	if err != nil {
		return err
	}
	a.reserve = a.config.Storage.reserveOf(total)
	a.objects, err = object.OpenLocal(a.path("objects"), object.LocalOptions{ReserveBytes: a.reserve, Log: a.component("storage")})
	return err
}

// openOwnMinIO opens the bucket on the server that Hearth runs. It may answer
// before it is ready for that.
func (a *Appliance) openOwnMinIO(ctx context.Context) error {
	if err := a.minio.start(ctx); err != nil {
		return err
	}
	keys, err := readKeys(a.minio.keys)
	if err != nil {
		return err
	}
	c := a.config.Storage.MinIO
	c.Endpoint, c.AccessKey, c.SecretKey = a.minio.endpoint(), keys.access, keys.secret
	ctx, cancel := context.WithTimeout(ctx, minioPatience)
	defer cancel()
	for {
		err := a.openMinIO(ctx, c)
		if ml.KindOf(err) != ml.Unavailable || !respawn.Pause(ctx, 250*time.Millisecond) {
			return err
		}
	}
}

func (a *Appliance) openMinIO(ctx context.Context, c MinIOConfig) error {
	var err error
	a.objects, err = object.OpenMinIO(ctx, object.MinIOOptions{
		Dir: a.path("objects-minio"), Endpoint: c.Endpoint, AccessKey: c.AccessKey, SecretKey: c.SecretKey,
		CAFile: c.CAFile, Region: c.Region, Log: a.component("storage"),
	})
	return err
}

// bucketWait bounds questions to the bucket that nobody should have to wait
// long for.
const bucketWait = 3 * time.Second

func (a *Appliance) bucketExists(name string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), bucketWait)
	defer cancel()
	_, err := a.objects.Bucket(ctx, name)
	return err == nil
}

func (a *Appliance) bucketStatus(ctx context.Context) ml.BucketStatus {
	s := ml.BucketStatus{Backend: a.config.Storage.Backend, ReserveBytes: a.reserve}
	ctx, cancel := context.WithTimeout(ctx, bucketWait)
	defer cancel()
	if err := a.objects.Check(ctx); err != nil {
		s.Error = explainBucket(err)
	}
	switch {
	case s.Backend == backendLocal:
		s.Location = a.path("objects")
	case a.minio != nil:
		s.Location, s.Run = a.minio.endpoint(), true
		var down string
		if s.Restarts, down = a.minio.status(); down != "" {
			s.Error = down
		}
	default:
		s.Location = a.config.Storage.MinIO.Endpoint
	}
	return s
}
