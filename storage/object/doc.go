// Package object is the bucket: objects with generations, checksums and
// metadata, in the terms of Cloud Storage but without its HTTP, which is
// appliance/api/gcsv1.
//
// [Store] is what every implementation offers; the files are named for them.
// [Local] (local_*.go) is the embedded one: an object is a plain file that a
// person can look at, under BUCKET/path/to/object wherever the name allows it,
// and everything else about it is in an ordered index, .index.db (bbolt,
// index*.go). [MinIO] (minio_*.go) keeps objects on an S3 server, and the same
// index beside it. docs/formats.md describes all of it.
//
// What a caller may rely on:
//   - A write that was answered survives a crash and a power cut; one that was
//     not answered is there whole or not at all, after the next [OpenLocal] or
//     [OpenMinIO].
//   - Readers see one generation from beginning to end, whatever is written
//     meanwhile. From Local, an overwritten or deleted object stays readable
//     through the [Reader]s that have it open; MinIO's say ABORTED.
//   - A condition ([Conditions]) is checked, and the write that depends on it
//     done, while no other write of that object comes between.
//
// Caveats: there is one generation per object, the live one. Files that others
// put into Local's folder are not objects before [Keeper].Reindex, and are
// overwritten when an object of that name is written. Files are never changed
// in place (a copy is a hard link), so nobody else may do that either.
package object
