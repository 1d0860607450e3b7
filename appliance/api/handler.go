package api

import (
	"net/http"
	"strings"

	"hearth/ml"
	"hearth/ml/rest"
)

// ServeHTTP answers every request of every connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e := s.log.Debug(); e.Enabled() {
		logged := &statusWriter{ResponseWriter: w}
		defer s.logAccess(e, r, logged)()
		w = logged
	}
	if r.Method == http.MethodConnect {
		s.connect(w, r)
		return
	}
	l, ok := r.Context().Value(linkKey{}).(*link)
	if !ok {
		l = &link{}
	}
	l.principal = ml.Principal{}
	if l.tls != nil {
		r.TLS = l.tls
		if r.UserAgent() == "TSL" {
			// TensorFlow's client never uses a connection twice.
			w.Header().Set("Connection", "close")
		}
	}
	h, err := s.admit(r, l)
	if err != nil {
		if ml.KindOf(err) == ml.Unauthenticated {
			w.Header().Set("WWW-Authenticate", `Bearer realm="hearth"`)
		}
		rest.WriteError(w, r, err)
		return
	}
	h.ServeHTTP(w, r)
}

// admit decides which handler answers and whether the caller may have it. It
// sets the link's principal.
func (s *Server) admit(r *http.Request, l *link) (http.Handler, error) {
	host, _ := splitHost(r.Host)
	if err := s.checkHost(r, host); err != nil {
		return nil, err
	}
	if err := checkOrigin(r); err != nil {
		return nil, err
	}
	to := s.route(r, host)
	p, known := s.identify(r, l)
	switch {
	case to.who == anybody:
		return to.handler, nil
	case !known && isUploadSession(r):
		// The URI itself is the credential: its id cannot be guessed.
		return to.handler, nil
	case !known && (r.Header.Get("Authorization") != "" || to.who != owner || !s.allows(r, p)):
		return nil, errUnauthenticated(r.Header.Get("Authorization") != "")
	case known && !p.Owner && to.who == owner && !s.allows(r, p):
		return nil, errOnlyBucket(p)
	}
	l.principal = p
	return to.handler, nil
}

// allows says whether somebody may do what is the owner's.
func (s *Server) allows(r *http.Request, p ml.Principal) bool {
	return s.behind.Allows != nil && s.behind.Allows(r, p)
}

// checkHost refuses names that are not ours: a page that had one of them point
// here could read our answers.
func (s *Server) checkHost(r *http.Request, host string) error {
	if s.hosts.isOwn(host) || isGoogle(host) {
		return nil
	}
	if r.URL.IsAbs() {
		if p, ok := s.proxyCaller(r); ok {
			s.refused(p, r.URL.Host)
		}
		return ml.Errorf(ml.PermissionDenied, "This proxy answers for Google's hosts, and tunnels to others by CONNECT only: not %q.", r.URL.Host)
	}
	return errNotOurName(host)
}

func errNotOurName(host string) error {
	return ml.Errorf(ml.PermissionDenied, "%q is not a name of this server. Its names are set in the configuration.", host)
}

func errOnlyBucket(p ml.Principal) error {
	return ml.Errorf(ml.PermissionDenied, "%s may use the bucket of its project, and the models whose policies let it.", p)
}

// checkOrigin refuses requests that a browser makes for a page of another
// origin.
func checkOrigin(r *http.Request) error {
	origin := r.Header["Origin"]
	if len(origin) == 0 {
		return nil
	}
	if _, host, ok := strings.Cut(origin[0], "://"); ok && len(origin) == 1 && strings.EqualFold(host, r.Host) {
		return nil
	}
	return ml.Errorf(ml.PermissionDenied, "Requests of a page from %q are not answered.", origin[0])
}
