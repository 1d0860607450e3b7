package training

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// Secret gives the password of a job's identity: 32 bytes in URL-safe base64.
// It follows from the installation's key, so that it need not be kept and a
// restart in mid-start finds it again.
func Secret(key []byte, project, job string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(project + "." + job))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// SecretHash is what is kept of a secret.
func SecretHash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// SecretMatches reports whether a secret that was shown has the hash.
func SecretMatches(secret string, hash []byte) bool {
	return subtle.ConstantTimeCompare(SecretHash(secret), hash) == 1
}
