package gcsv1

import (
	"net/http"
	"net/url"
	"strings"

	"hearth/ml"
)

// route is one method of the API. Variables of the path are fields of a call.
type route struct {
	method string
	path   []string
	do     handler
}

func at(method, path string, do handler) route { return route{method, strings.Split(path, "/"), do} }

// routes are the methods below /storage/v1/ and /download/storage/v1/.
var routes = []route{
	at(http.MethodGet, "b", listBuckets),
	at(http.MethodPost, "b", createBucket),
	at(http.MethodGet, "b/{bucket}", getBucket),
	at(http.MethodDelete, "b/{bucket}", deleteBucket),
	at(http.MethodPatch, "b/{bucket}", updateBucket),
	at(http.MethodPut, "b/{bucket}", updateBucket),
	at(http.MethodGet, "b/{bucket}/storageLayout", storageLayout),
	at(http.MethodGet, "b/{bucket}/o", listObjects),
	at(http.MethodPost, "b/{bucket}/o", insertWithoutContent),
	at(http.MethodGet, "b/{bucket}/o/{object}", getObject),
	at(http.MethodHead, "b/{bucket}/o/{object}", getObject),
	at(http.MethodDelete, "b/{bucket}/o/{object}", deleteObject),
	at(http.MethodPatch, "b/{bucket}/o/{object}", updateObject),
	at(http.MethodPut, "b/{bucket}/o/{object}", updateObject),
	at(http.MethodPost, "b/{bucket}/o/{object}/compose", composeObject),
	at(http.MethodPost, "b/{bucket}/o/{object}/moveTo/o/{toObject}", moveObject),
	at(http.MethodPost, "b/{bucket}/o/{object}/copyTo/b/{toBucket}/o/{toObject}", copyObject),
	at(http.MethodPost, "b/{bucket}/o/{object}/rewriteTo/b/{toBucket}/o/{toObject}", rewriteObject),
}

// What the API has and Hearth has not, by the segment of the path that says so:
// the first, the one behind a bucket, the one behind an object.
var (
	absent = map[string]string{
		"projects": "HMAC keys and service accounts are", "channels": "Change notifications are",
	}
	absentOfBucket = map[string]string{
		"acl": "Access control lists are", "defaultObjectAcl": "Access control lists are", "iam": "IAM policies are",
		"notificationConfigs": "Notifications are", "folders": "Folders are", "managedFolders": "Folders are",
		"anywhereCaches": "Caches are", "rapidCaches": "Caches are", "operations": "Operations on buckets are",
		"relocate": "Moving a bucket is", "restore": "Soft delete is", "lockRetentionPolicy": "Retention is",
	}
	absentOfObject = map[string]string{
		"acl": "Access control lists are", "iam": "IAM policies are", "restore": "Soft delete is", "viewFullContext": "Contexts are",
	}
)

// route finds the handler and takes the names out of the path.
func (c *call) route() (handler, error) {
	path := c.r.URL.EscapedPath()
	for _, begin := range []string{"/resumable/upload/storage/v1/", "/upload/storage/v1/"} {
		if rest, ok := strings.CutPrefix(path, begin); ok {
			return c.routeUpload(rest)
		}
	}
	if rest, ok := strings.CutPrefix(path, "/download/storage/v1/"); ok {
		c.download = true
		return c.routeJSON(rest)
	}
	if rest, ok := strings.CutPrefix(path, "/storage/v1/"); ok {
		return c.routeJSON(rest)
	}
	if path == "/batch" || strings.HasPrefix(path, "/batch/") {
		if c.r.Method != http.MethodPost {
			return nil, noSuchMethod(c.r)
		}
		return batch, nil
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
	if e := c.r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, unimplemented("A compressed request (Content-Encoding: " + e + ") is")
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
	known := false
	for _, r := range routes {
		if !r.matches(s) {
			continue
		}
		known = true
		if r.method == c.r.Method {
			c.take(r, s)
			return r.do, c.authorize()
		}
	}
	switch what := missing(s); {
	case what != "":
		return nil, unimplemented(what)
	case known:
		return nil, noSuchMethod(c.r)
	}
	return nil, noSuchPath(c.r)
}

func (r route) matches(s []string) bool {
	if len(s) != len(r.path) {
		return false
	}
	for i, p := range r.path {
		if p[0] != '{' && p != s[i] {
			return false
		}
	}
	return true
}

// take notes the names in the path.
func (c *call) take(r route, s []string) {
	for i, p := range r.path {
		switch p {
		case "{bucket}":
			c.bucket = s[i]
		case "{object}":
			c.object = s[i]
		case "{toBucket}":
			c.toBucket = s[i]
		case "{toObject}":
			c.toObject = s[i]
		}
	}
}

// missing says what of the API a path asks for that Hearth has not; empty if
// the API has nothing there either.
func missing(s []string) string {
	switch {
	case s[0] != "b":
		return absent[s[0]]
	case len(s) == 4 && s[2] == "o" && s[3] == "bulkRestore":
		return "Soft delete is"
	case len(s) == 4 && s[2] == "o" && s[3] == "watch":
		return "Change notifications are"
	case len(s) > 4 && s[2] == "o":
		return absentOfObject[s[4]]
	case len(s) > 2:
		return absentOfBucket[s[2]]
	}
	return ""
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
		return nil, unimplemented("The XML API, but for reading objects, is")
	}
	for param, header := range map[string]string{
		"ifGenerationMatch": "X-Goog-If-Generation-Match", "ifMetagenerationMatch": "X-Goog-If-Metageneration-Match",
	} {
		if v := c.r.Header.Get(header); v != "" {
			c.q.Set(param, v)
		}
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
