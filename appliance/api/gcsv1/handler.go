package gcsv1

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/rs/zerolog"

	"hearth/ml"
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
}

// New makes the handler of /storage/v1/, /upload/storage/v1/,
// /resumable/upload/storage/v1/, /download/storage/v1/, /batch/storage/v1 and
// /BUCKET/OBJECT.
func New(o Options) http.Handler {
	if o.Authorize == nil {
		o.Authorize = func(*http.Request, string, bool) error { return nil }
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
	// bucket and object are those of the path, if it names them; toBucket and
	// toObject those of a copy's target.
	bucket, object     string
	toBucket, toObject string
	// download says that the content was asked for, xml that it was asked for
	// the XML API's way.
	download, xml bool
}

// handler does a call's work. It returns what is to be written: a resource, a
// status without a body, or nil if it has written everything itself.
type handler func(c *call) (any, error)

// status is an answer without a body.
type status int

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{server: s, w: w, r: r, q: r.URL.Query()}
	h, err := c.route()
	if err != nil {
		c.fail(err)
		return
	}
	v, err := h(c)
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

// route finds the handler and takes the names out of the path.
func (c *call) route() (handler, error) {
	path := c.r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, "/resumable/upload/storage/v1/"); ok {
		return c.routeUpload(rest)
	}
	if rest, ok := strings.CutPrefix(path, "/upload/storage/v1/"); ok {
		return c.routeUpload(rest)
	}
	if rest, ok := strings.CutPrefix(path, "/download/storage/v1/"); ok {
		c.download = true
		return c.routeJSON(rest)
	}
	if rest, ok := strings.CutPrefix(path, "/storage/v1/"); ok {
		return c.routeJSON(rest)
	}
	if path == "/batch" || strings.HasPrefix(path, "/batch/") {
		return nil, unimplemented("Batch requests")
	}
	return c.routeXML(path)
}

func (c *call) routeUpload(path string) (handler, error) {
	s, err := segments(path)
	if err != nil {
		return nil, err
	}
	if len(s) < 3 || len(s) > 4 || s[0] != "b" || s[2] != "o" {
		return nil, noSuchPath(c.r)
	}
	c.bucket = s[1]
	if len(s) == 4 {
		c.object = s[3]
	}
	if c.q.Get("upload_id") != "" {
		return resume, nil
	}
	if c.r.Method != http.MethodPost && c.r.Method != http.MethodPut {
		return nil, noSuchMethod(c.r)
	}
	return upload, c.Authorize(c.r, c.bucket, true)
}

func (c *call) routeJSON(path string) (handler, error) {
	s, err := segments(path)
	if err != nil {
		return nil, err
	}
	if s[0] != "b" {
		return nil, unimplemented("This part of the storage API")
	}
	if len(s) > 1 {
		c.bucket = s[1]
	}
	if len(s) > 3 && s[2] == "o" {
		c.object = s[3]
	}
	methods, err := c.resource(s)
	if err != nil {
		return nil, err
	}
	h := methods[c.r.Method]
	if h == nil {
		return nil, noSuchMethod(c.r)
	}
	return h, c.authorize()
}

// authorize asks about the bucket of the path, and about that of a copy's
// target.
func (c *call) authorize() error {
	write := c.r.Method != http.MethodGet && c.r.Method != http.MethodHead
	if c.toBucket == "" {
		return c.Authorize(c.r, c.bucket, write)
	}
	if err := c.Authorize(c.r, c.bucket, false); err != nil {
		return err
	}
	return c.Authorize(c.r, c.toBucket, true)
}

// resource finds what the segments of a path name, and its methods.
func (c *call) resource(s []string) (map[string]handler, error) {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	kind := ""
	if len(s) > 4 {
		kind = s[4]
	}
	switch {
	case len(s) == 1:
		return map[string]handler{get: listBuckets, post: createBucket}, nil
	case len(s) == 2:
		return map[string]handler{get: getBucket, del: deleteBucket, put: later("Changes of buckets"), patch: later("Changes of buckets")}, nil
	case len(s) == 3 && s[2] == "o":
		return map[string]handler{get: listObjects, post: later("Objects without content")}, nil
	case len(s) == 3 && s[2] == "storageLayout":
		return map[string]handler{get: storageLayout}, nil
	case s[2] != "o":
		return nil, unimplemented("This part of the storage API")
	case len(s) == 4:
		return map[string]handler{get: getObject, http.MethodHead: getObject, del: deleteObject, put: updateObject, patch: updateObject}, nil
	case len(s) == 5 && kind == "compose":
		return map[string]handler{post: composeObject}, nil
	case len(s) == 9 && s[5] == "b" && s[7] == "o" && kind == "rewriteTo":
		c.toBucket, c.toObject = s[6], s[8]
		return map[string]handler{post: rewriteObject}, nil
	case len(s) == 9 && s[5] == "b" && s[7] == "o" && kind == "copyTo":
		c.toBucket, c.toObject = s[6], s[8]
		return map[string]handler{post: copyObject}, nil
	case len(s) == 7 && s[5] == "o" && kind == "moveTo":
		c.toObject = s[6]
		return map[string]handler{post: moveObject}, nil
	}
	return nil, unimplemented("This part of the storage API")
}

func later(what string) handler {
	return func(*call) (any, error) { return nil, unimplemented(what) }
}

func (c *call) routeXML(path string) (handler, error) {
	c.xml, c.download = true, true
	bucket, name, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	var err error
	if c.bucket, err = unescape(bucket); err != nil {
		return nil, err
	}
	if c.object, err = unescape(name); err != nil {
		return nil, err
	}
	switch {
	case c.bucket == "":
		return nil, noSuchPath(c.r)
	case !ok || c.object == "", c.r.Method != http.MethodGet && c.r.Method != http.MethodHead:
		return nil, unimplemented("The XML API, but for reading objects,")
	}
	return getObject, c.Authorize(c.r, c.bucket, false)
}

// segments splits an escaped path and takes the escapes out of its parts.
func segments(path string) ([]string, error) {
	s := strings.Split(path, "/")
	for i := range s {
		var err error
		if s[i], err = unescape(s[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func unescape(s string) (string, error) {
	u, err := url.PathUnescape(s)
	if err != nil {
		return "", ml.Errorf(ml.InvalidArgument, "The path has a percent sign that stands for nothing.")
	}
	return u, nil
}
