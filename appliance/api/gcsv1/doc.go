// Package gcsv1 speaks Cloud Storage's JSON API, version 1, over an
// [object.Store]: buckets, objects, uploads of all three kinds, copies, globs
// and batches. Objects can also be read the XML API's way, as /BUCKET/OBJECT.
//
// What the package knows is HTTP: routes, query parameters, resources as JSON,
// ranges, uploads, decompression on the way, Google's error form with its
// reasons. All rules about objects are the store's. It tells an observer which
// generations were read and written, and by whom.
//
// Paths are routed by their escaped form, because names of objects contain
// slashes, dots and percent signs that must survive; the handler may therefore
// not be put behind an http.ServeMux, which cleans paths.
//
// What the API has and Hearth has not is answered with 501, and so is what would
// change what becomes of an object; docs/unsupported.md lists both. Parameters
// and fields that mean nothing here are ignored, and kept where the API gives
// them back.
package gcsv1
