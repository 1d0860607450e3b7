// Package object is the bucket: objects with generations, checksums and
// metadata, in the terms of Cloud Storage but without its HTTP, which is
// appliance/api/gcsv1.
//
// [Store] is what every implementation offers. [Local] is the embedded one: an
// object is a plain file that a person can look at, under
// BUCKET/path/to/object wherever the name allows it, and everything else about
// it is in an ordered index, .index.db (bbolt). docs/formats.md describes both.
//
// What a caller may rely on:
//   - A write that was answered survives a crash and a power cut; one that was
//     not answered is there whole or not at all, after the next [OpenLocal].
//   - Readers see one generation from beginning to end, whatever is written
//     meanwhile: an overwritten or deleted object stays readable through the
//     [Reader]s that have it open.
//   - A condition ([Conditions]) is checked in the same transaction as the
//     write that depends on it.
//
// Caveats: there is one generation per object, the live one. Files that others
// put into the folder are not objects, and are overwritten when an object of
// that name is written. Files are never changed in place (a copy is a hard
// link), so nobody else may do that either.
package object
