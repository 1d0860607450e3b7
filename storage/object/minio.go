package object

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/rs/zerolog"

	"hearth/ml"
)

// MinIOOptions says which S3 server holds the objects.
type MinIOOptions struct {
	// Dir is the folder of the index and of the unfinished ends of uploads.
	Dir string
	// Endpoint is the server's address, such as http://127.0.0.1:9000.
	Endpoint             string
	AccessKey, SecretKey string
	// CAFile, if set, has the certificates to trust for https, in PEM.
	CAFile string
	// Region may be empty for MinIO.
	Region string
	Log    zerolog.Logger
}

// MinIO is the Store on a MinIO or any other S3 server.
//
// The server is the truth about what objects there are; the index has what S3
// has no place for, and is believed about an object as long as the server shows
// the same ETag. So others may read and write the same S3 buckets, and an index
// that was lost is made anew, from the metadata of the objects and from
// sidecars (see minio_record.go).
//
// A [Reader] of it reads in pieces, and says ABORTED where the object was
// overwritten or deleted between two of them.
type MinIO struct {
	*indexDB
	o     MinIOOptions
	s3    minio.Core
	names nameLocks
	// buckets guards the existence of a bucket: writers hold it for reading.
	buckets nameLocks
	keys    reservations
	clock   generations

	uploads struct {
		mu    sync.Mutex
		turns map[string]chan struct{}
	}
	sweeps  sweeps
	closing sync.Once
	closed  error
}

var _ Store = (*MinIO)(nil)

// How long the server may take. A request that fails is tried once more.
const (
	s3CheckTimeout  = 5 * time.Second
	s3HeaderTimeout = time.Minute
	s3StartTimeout  = 20 * time.Second
	s3Retries       = 2
)

// OpenMinIO opens the store. UNAVAILABLE if the server does not answer,
// FAILED_PRECONDITION if it refuses the credentials.
func OpenMinIO(ctx context.Context, o MinIOOptions) (*MinIO, error) {
	client, err := newS3Client(o)
	if err != nil {
		return nil, err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err == nil {
		err = makeFolders(o.Dir, uploadDir)
	}
	if err != nil {
		return nil, fmt.Errorf("open the objects: %w", diskError(err))
	}
	m := &MinIO{o: o, s3: minio.Core{Client: client}}
	if err := m.awaitServer(ctx); err != nil {
		return nil, err
	}
	if m.indexDB, err = recoverIndex(o.Dir, o.Log); err != nil {
		return nil, err
	}
	m.names.seed, m.buckets.seed = maphash.MakeSeed(), maphash.MakeSeed()
	m.uploads.turns = map[string]chan struct{}{}
	if err := m.prepare(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// awaitServer is Check, but waits for a server that is just starting.
func (m *MinIO) awaitServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s3StartTimeout)
	defer cancel()
	for {
		err := m.Check(ctx)
		if minio.ToErrorResponse(errors.Unwrap(err)).Code != "XMinioServerNotInitialized" {
			return err
		}
		select {
		case <-time.After(s3StartTimeout / 100):
		case <-ctx.Done():
			return err
		}
	}
}

// prepare brings the index up to what S3 listings do not show, and a new one up
// to what the sidecars say.
func (m *MinIO) prepare(ctx context.Context) error {
	rebuild, err := m.rebuilding()
	if err != nil {
		return err
	}
	err = m.view(func(x index) error {
		m.clock.last = x.generation()
		return nil
	})
	if err != nil {
		return err
	}
	buckets, err := m.Buckets(ctx)
	if err != nil {
		return err
	}
	for _, b := range buckets {
		if err := m.findHashed(ctx, b.Name); err != nil {
			return err
		}
		if !rebuild {
			continue
		}
		if err := m.takeInSidecars(ctx, b.Name); err != nil {
			return err
		}
	}
	return errors.Join(m.rebuilt(), m.sweepUploads(ctx))
}

// Close implements Keeper.
func (m *MinIO) Close() error {
	m.closing.Do(func() { m.closed = m.close() })
	return m.closed
}

// Check implements Keeper.
func (m *MinIO) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s3CheckTimeout)
	defer cancel()
	_, err := m.s3.ListBuckets(ctx)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return m.fault(err)
}

func newS3Client(o MinIOOptions) (*minio.Client, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return nil, ml.FieldErrorf("endpoint", "%q is not the address of an S3 server, such as http://127.0.0.1:9000", o.Endpoint)
	}
	secure := u.Scheme == "https"
	transport, err := s3Transport(o.CAFile, secure)
	if err != nil {
		return nil, err
	}
	if o.Region == "" && !strings.HasSuffix(u.Hostname(), ".amazonaws.com") {
		o.Region = "us-east-1" // what MinIO calls itself; else each bucket would be asked
	}
	return minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Secure: secure, Region: o.Region,
		Transport: transport, MaxRetries: s3Retries,
	})
}

func s3Transport(caFile string, secure bool) (*http.Transport, error) {
	t, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("prepare connections to the S3 server: %w", err)
	}
	t.MaxIdleConnsPerHost = 64
	t.ResponseHeaderTimeout = s3HeaderTimeout
	// Objects go through in large pieces; net/http's own buffers are 4 KiB.
	t.WriteBufferSize, t.ReadBufferSize = 64<<10, 64<<10
	// The daemon may be somebody's proxy itself; the server is addressed directly.
	t.Proxy = nil
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificates of the S3 server: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, ml.FieldErrorf("ca_file", "%s has no certificate in PEM", caFile)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}

// generations gives out generations without asking the index: they are in the
// object's own metadata before they are in the index.
type generations struct {
	mu   sync.Mutex
	last int64
}

// next gives a generation that is larger than all before.
func (g *generations) next(at time.Time) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = max(g.last+1, at.UnixMicro())
	return g.last
}

// saw makes those that follow larger than n.
func (g *generations) saw(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = max(g.last, n)
}
