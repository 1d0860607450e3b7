package gcsv1

import (
	"net/http"
	"net/url"

	"github.com/rs/zerolog"

	"hearth/storage/object"
)

// Options is what the handler works with.
type Options struct {
	Store object.Store
	// PlainBase is where the daemon can be reached by plain HTTP from this
	// machine, such as http://127.0.0.1:8080. If set, TensorFlow is told to
	// upload there, which spares it TLS for the content.
	PlainBase string
	Log       zerolog.Logger
	// Authorize decides whether the sender of r may read or write a bucket; the
	// empty bucket stands for their list. Nil allows everything. It is not
	// asked about upload sessions: who knows one has been asked at its begin.
	Authorize func(r *http.Request, bucket string, write bool) error
	// Who names the sender of r, empty for somebody unknown. An upload session
	// belongs to the one who began it. Nil knows nobody.
	Who func(r *http.Request) string
	// Observe is told of every download that has ended and of every object that
	// was written. by is what Who says; where it says nothing, the one who began
	// the upload. Parts of a batch may tell it at the same time. Nil is not told.
	Observe func(r *http.Request, by string, a Access)
}

// New makes the handler of /storage/v1/, /upload/storage/v1/,
// /resumable/upload/storage/v1/, /download/storage/v1/, /batch and
// /BUCKET/OBJECT.
func New(o Options) http.Handler {
	if o.Authorize == nil {
		o.Authorize = func(*http.Request, string, bool) error { return nil }
	}
	if o.Who == nil {
		o.Who = func(*http.Request) string { return "" }
	}
	return &server{o}
}

type server struct{ Options }

// call is one request on its way.
type call struct {
	*server
	w http.ResponseWriter
	r *http.Request
	q url.Values
	// mask is what the parameter fields asks for.
	mask mask
	// bucket and object are those of the path, if it names them; toBucket and
	// toObject those of a copy's target.
	bucket, object     string
	toBucket, toObject string
	// download says that the content was asked for, xml that it was asked for
	// the XML API's way.
	download, xml bool
	// began is who began the upload session that the call goes on with.
	began string
}

// handler does a call's work. It returns what is to be written: a resource, a
// status without a body, or nil if it has written everything itself.
type handler func(c *call) (any, error)

// status is an answer without a body.
type status int

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{server: s, w: w, r: r, q: r.URL.Query()}
	v, err := c.do()
	if err != nil {
		c.fail(err)
		return
	}
	switch v := v.(type) {
	case nil:
	case status:
		c.w.WriteHeader(int(v))
	default:
		c.reply(http.StatusOK, v)
	}
}

func (c *call) do() (any, error) {
	h, err := c.route()
	if err != nil {
		return nil, err
	}
	if err := c.refuseKeys(); err != nil {
		return nil, err
	}
	if c.mask, err = parseMask(c.q.Get("fields")); err != nil {
		return nil, err
	}
	return h(c)
}

// refuseKeys refuses content that the client wants encrypted with a key of its
// own: it would be stored as it is, and be there for those without the key.
func (c *call) refuseKeys() error {
	for _, name := range []string{"X-Goog-Encryption-Algorithm", "X-Goog-Copy-Source-Encryption-Algorithm"} {
		if c.r.Header.Get(name) != "" {
			return unimplemented("Encryption with keys of the client")
		}
	}
	return nil
}
