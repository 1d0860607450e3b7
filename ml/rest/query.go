package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"hearth/ml"
)

// commonQuery are the parameters that every method of Google's APIs takes.
var commonQuery = []string{
	"$.xgafv", "access_token", "alt", "callback", "fields", "key", "oauth_token",
	"prettyPrint", "quotaUser", "uploadType", "upload_protocol",
}

// checkQuery refuses query parameters that are neither common nor allowed.
func checkQuery(r *http.Request, allowed []string) error {
	if r.URL.RawQuery == "" || slices.Contains(allowed, anyQuery) {
		return nil
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return ml.Errorf(ml.InvalidArgument, "The query of the URL cannot be read: %v.", err)
	}
	for name := range q {
		if !slices.Contains(commonQuery, name) && !slices.Contains(allowed, name) {
			return payloadError(name, "Invalid JSON payload received. Unknown name %q: Cannot bind query parameter. Field '%s' could not be found in request message.", name, name)
		}
	}
	if alt := q.Get("alt"); alt != "" && alt != "json" {
		return payloadError("alt", "Invalid value for the query parameter alt, %q: this server answers json.", alt)
	}
	return nil
}

// Page sizes of list methods.
const (
	defaultPageSize = 20
	maxPageSize     = 100
)

// Page reads pageSize and pageToken. The size is 20 if it is not given and at
// most 100; the token is for whoever made it to check.
func Page(r *http.Request) (size int, token string, err error) {
	q := r.URL.Query()
	if s := q.Get("pageSize"); s != "" {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return 0, "", payloadError("pageSize", "Invalid value at 'pageSize' (TYPE_INT32), %q", s)
		}
		if n < 0 {
			return 0, "", ml.FieldErrorf("pageSize", "The page size must not be negative.")
		}
		size = int(n)
	}
	return ClampPageSize(size), q.Get("pageToken"), nil
}

// ClampPageSize gives the size of the page that a list method answers with
// when asked for size, 0 meaning not asked.
func ClampPageSize(size int) int {
	if size == 0 {
		return defaultPageSize
	}
	return min(size, maxPageSize)
}
