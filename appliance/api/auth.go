package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"

	"hearth/appliance/api/gcemetadata"
	"hearth/ml"
)

// Secret is what is kept of a credential: enough to know it again, and
// nothing that would open anything.
type Secret [sha256.Size]byte

// HashSecret makes the Secret of a credential, which must be long and random.
func HashSecret(credential string) Secret {
	// Owners' tokens fit into the buffer: no allocation on every request.
	var buf [128]byte
	return sha256.Sum256(append(buf[:0], credential...))
}

// Is reports whether credential is the one s was made of. How long it takes
// says nothing about s.
func (s *Secret) Is(credential string) bool {
	other := HashSecret(credential)
	return subtle.ConstantTimeCompare(s[:], other[:]) == 1
}

// identify finds who makes a request: the bearer of a good token, else whoever
// opened the tunnel it came through, or showed credentials to the proxy. A token
// that is not good is no obstacle there: programs send what the metadata server
// gave them.
func (s *Server) identify(r *http.Request, l *link) (ml.Principal, bool) {
	if token, ok := cutScheme(r.Header.Get("Authorization"), "Bearer"); ok && token != gcemetadata.Token {
		if p, ok := s.o.Auth.Bearer(token); ok {
			return p, true
		}
	}
	if r.URL.IsAbs() {
		if p, ok := s.proxyCaller(r); ok {
			return p, true
		}
	}
	return l.tunnel, l.tunnel != ml.Principal{}
}

// proxyCaller finds who talks to the proxy.
func (s *Server) proxyCaller(r *http.Request) (ml.Principal, bool) {
	encoded, ok := cutScheme(r.Header.Get("Proxy-Authorization"), "Basic")
	if !ok {
		return ml.Principal{}, false
	}
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return ml.Principal{}, false
	}
	user, secret, ok := strings.Cut(string(plain), ":")
	if !ok {
		return ml.Principal{}, false
	}
	return s.o.Auth.Basic(user, secret)
}

// cutScheme gives the credentials of an Authorization header that uses scheme.
func cutScheme(header, scheme string) (string, bool) {
	got, credentials, ok := strings.Cut(header, " ")
	return strings.TrimSpace(credentials), ok && strings.EqualFold(got, scheme)
}

// isUploadSession reports whether r goes on with a resumable upload.
func isUploadSession(r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/upload/storage/") && !strings.HasPrefix(r.URL.Path, "/resumable/upload/storage/") {
		return false
	}
	return strings.Contains(r.URL.RawQuery, "upload_id=") && r.URL.Query().Get("upload_id") != ""
}

// ErrNoCredentials is for a request that has none and needs some.
func ErrNoCredentials() error { return errUnauthenticated(false) }

// errUnauthenticated is for a request that has credentials which are not known, or
// has none.
func errUnauthenticated(has bool) error {
	const how = `Send the owner's token as "Authorization: Bearer TOKEN": "hearth token" prints it, and eval "$(hearth env --for gcloud)" hands it to gcloud.`
	if !has {
		return ml.Errorf(ml.Unauthenticated, "The request has no credentials. %s", how)
	}
	return ml.Errorf(ml.Unauthenticated, "The credentials of the request are not known here. %s", how)
}
