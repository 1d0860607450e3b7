// Package hearthv1 serves what is Hearth's alone, below /hearth/v1/: the
// status of the machine, the TensorFlow runtimes, the certificate authority, what
// jobs have read and written, and the upkeep of the bucket. It answers from what
// its Options give it and keeps nothing.
package hearthv1
