// Package tests holds what concerns Hearth as a whole: the import arrows that
// the structure allows, and the end-to-end tests, which run the real binary
// with a real TensorFlow.
package tests
