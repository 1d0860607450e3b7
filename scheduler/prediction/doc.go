// Package prediction knows what the worker of a batch prediction is: which
// model it loads, what it runs as, and the folder in which the job keeps how far
// it is over all of its attempts.
//
// The worker is our own program, `hearth batch-predict`, and speaks to the
// bucket as every job does, with the job's credentials. It is the daemon's user
// without privileges, kept to its files: what it runs is a graph, as in the
// worker of a version, and a user of its own could not read the version's files.
//
// The package decides and describes; it starts nothing. Which version a request
// means and where its files are is handed in as [Models].
package prediction
