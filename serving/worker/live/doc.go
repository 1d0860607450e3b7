// Package live holds the tests of serving/worker with TensorFlow itself and
// real SavedModels. It is a folder of its own so that those of serving/worker
// run where no TensorFlow binding has been built.
package live
