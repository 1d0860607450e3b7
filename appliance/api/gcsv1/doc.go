// Package gcsv1 speaks Cloud Storage's JSON API, version 1, over an
// [object.Store]: as much of it as TensorFlow's gs:// file system, gcloud's
// uploads, Google's client libraries and gcsfs use. Objects can also be read
// the XML API's way, as /BUCKET/OBJECT.
//
// What the package knows is HTTP: routes, query parameters, resources as JSON,
// ranges, the three kinds of upload, Google's error form with its reasons. All
// rules about objects are the store's.
//
// Paths are routed by their escaped form, because names of objects contain
// slashes, dots and percent signs that must survive; the handler may therefore
// not be put behind an http.ServeMux, which cleans paths.
//
// What is known and not offered (batch requests, IAM, notifications, matchGlob
// and others) is answered with 501. Parameters that mean nothing here are
// ignored.
package gcsv1
