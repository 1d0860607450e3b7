package api

import (
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
)

// Options is what the front door is made of. Auth must be set; the rest may be
// zero.
type Options struct {
	// Address to listen on, as host:port.
	Address string
	// Names under which this host is reached, beside localhost and its IP
	// addresses.
	Names []string
	// TLSDir is the folder of the installation's CA; it is made if missing.
	TLSDir string
	// Project is what the metadata server calls the project.
	Project string
	Auth    Authenticator

	// JobHosts are the hosts that jobs may reach through the proxy, as names or
	// as *.DOMAIN.
	JobHosts []string
	// Refused hears of each host that the proxy refused to a job.
	Refused func(p ml.Principal, host string)

	// Grace is how long requests may go on after Run's context has ended; 10
	// seconds if zero.
	Grace time.Duration
	Log   zerolog.Logger
}

// Handlers are what is behind the front door. All must be set.
type Handlers struct {
	// The APIs. Storage answers the JSON API and, for a path that begins with a
	// bucket or the host storage.googleapis.com, /BUCKET/OBJECT.
	ML, Logging, Storage, Hearth http.Handler
	// TFServing answers /v1/models/…, TensorFlow Serving's API.
	TFServing http.Handler
	// Metrics answers /metrics.
	Metrics http.Handler
	// Allows says whether somebody who is not the owner may make a request of an API
	// that is the owner's; the zero principal is nobody. Without it nobody may.
	Allows func(r *http.Request, p ml.Principal) bool
	// Lend finds who may take the connection of a request, nil if nobody; the caller
	// may make the request. It may be nil.
	Lend func(r *http.Request) Loan
	// GRPC answers connections that speak HTTP/2.
	GRPC GRPC
	// BucketExists reports whether the first segment of a path is a bucket. It
	// is asked for paths that are nobody else's.
	BucketExists func(bucket string) bool
	// Ready says why requests cannot be served yet, nil when they can.
	Ready func() error
}

// Authenticator knows whose credentials are good.
type Authenticator interface {
	// Bearer tells who the bearer of a token is.
	Bearer(token string) (ml.Principal, bool)
	// Basic tells who a user and secret are, as sent to the proxy: PROJECT.JOB
	// and the job's secret, or owner and the owner's token.
	Basic(user, secret string) (ml.Principal, bool)
}

// How long a client may take. The time for a request's head is no shorter than
// that for its first byte: a slow head holds no more than an idle connection
// does, and a timer that is due before those set earlier wakes a second thread
// on every request.
const (
	headTimeout      = 3 * time.Minute
	handshakeTimeout = 10 * time.Second
	idleTimeout      = headTimeout
	dialTimeout      = 10 * time.Second
	defaultGrace     = 10 * time.Second
)

const maxHeaderBytes = 64 << 10
