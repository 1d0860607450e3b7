// Package hearthv1 serves what is Hearth's alone, below /hearth/v1/: the
// status of the machine, the TensorFlow runtimes, and the certificate
// authority. It answers from what its Options give it and keeps nothing.
package hearthv1
