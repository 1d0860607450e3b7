// Package batch is the worker of a batch prediction: it reads records from the
// bucket, runs them through a SavedModel and writes what comes out back into the
// bucket.
//
// What is to be done is planned once, by the first attempt of a job, and kept: the
// objects with their generations, how they are cut into shards, and how many
// records a run takes. A shard's records and the boundaries of its batches follow
// from the plan alone, so a shard that is done again gives the same bytes. It is
// done once its objects are in the bucket and its counts in the journal; what a
// killed worker had under way is done again, nothing else.
//
// A bad record costs only itself. It is counted and told with file, position and
// reason, and a batch that fails is run again record by record to find it.
//
// Everything overlaps: one goroutine for each shard under way reads, decompresses
// and cuts batches, one for each processor parses, runs and formats them, and one
// for each shard writes, in order. The number of batches is bounded, and so is the
// memory.
package batch
