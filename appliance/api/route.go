package api

import (
	"net/http"
	"strings"

	"hearth/appliance/api/gcemetadata"
	"hearth/ml"
	"hearth/ml/rest"
)

// audience is who may use a handler.
type audience int

const (
	owner audience = iota
	ownerAndJobs
	anybody
)

// target is where a request goes, and who may send it there.
type target struct {
	handler http.Handler
	who     audience
}

// The targets of requests that nobody answers. On hosts of Google's it is no
// secret that we have nothing; on our own, names of buckets are.
var (
	nothing       = target{http.HandlerFunc(notFound), owner}
	nothingPublic = target{http.HandlerFunc(notFound), anybody}
)

// ownPaths are the targets on our own names, by the first segment of the path.
func (s *Server) ownPaths() map[string]target {
	storage := target{s.behind.Storage, ownerAndJobs}
	return map[string]target{
		"v1":              {s.behind.ML, owner},
		"v2":              {s.behind.Logging, owner},
		"storage":         storage,
		"upload":          storage,
		"resumable":       storage,
		"download":        storage,
		"batch":           storage,
		"hearth":          {s.behind.Hearth, owner},
		"metrics":         {s.behind.Metrics, owner},
		"computeMetadata": {s.metadata, anybody},
		"healthz":         {http.HandlerFunc(alive), anybody},
		"readyz":          {http.HandlerFunc(s.readyz), anybody},
	}
}

// reserved are first segments that are kept for us beside those of ownPaths.
var reserved = map[string]bool{
	"api": true, "assets": true, "console": true, "debug": true, "discovery": true, "docs": true, "favicon.ico": true,
	"grpc": true, "login": true, "ml": true, "notebooks": true, "oauth2": true, "robots.txt": true,
	"static": true, "tensorboard": true, "token": true, "v3": true,
}

// Reserved reports whether a bucket of this name could not be reached by its
// path, because the path is ours. Such buckets must not be made.
func Reserved(bucket string) bool {
	_, ours := (&Server{}).ownPaths()[bucket]
	return ours || reserved[bucket]
}

// route finds the target of a request by host and path.
func (s *Server) route(r *http.Request, host string) target {
	switch {
	case !isGoogle(host):
		return s.routeOwn(r)
	case host == hostMetadata:
		return target{s.metadata, anybody}
	case host == "storage.googleapis.com":
		return target{s.behind.Storage, ownerAndJobs}
	case host == "www.googleapis.com":
		if t := s.paths[firstSegment(r)]; t.who == ownerAndJobs {
			return t
		}
	case host == "logging.googleapis.com":
		return target{s.behind.Logging, owner}
	case host == "ml.googleapis.com" || strings.HasSuffix(host, "-ml.googleapis.com"):
		return target{s.behind.ML, owner}
	}
	return nothingPublic
}

// routeOwn finds the target of a request to this server under its own name.
func (s *Server) routeOwn(r *http.Request) target {
	if isTFServing(r.URL.Path) {
		return target{s.behind.TFServing, owner}
	}
	first := firstSegment(r)
	if t, ok := s.paths[first]; ok {
		return t
	}
	if first == "" && gcemetadata.Asks(r) {
		return target{s.metadata, anybody}
	}
	if first != "" && s.behind.BucketExists(first) {
		return target{s.behind.Storage, ownerAndJobs}
	}
	return nothing
}

// isTFServing reports whether a path is of TensorFlow Serving's API, whose words
// are known in any case. No method of Google's begins so.
func isTFServing(path string) bool {
	const prefix = "/v1/models/"
	return len(path) >= len(prefix) && strings.EqualFold(path[:len(prefix)], prefix)
}

func firstSegment(r *http.Request) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return first
}

func notFound(w http.ResponseWriter, r *http.Request) {
	rest.WriteError(w, r, ml.Errorf(ml.NotFound, "Nothing is at %s on %s.", r.URL.EscapedPath(), r.Host))
}

func alive(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") }

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := s.behind.Ready(); err != nil {
		writeText(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
		return
	}
	writeText(w, http.StatusOK, "ready")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
