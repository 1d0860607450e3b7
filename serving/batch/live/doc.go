// Package live holds the benchmark of serving/batch with TensorFlow itself and
// real SavedModels. It is a folder of its own so that the tests of serving/batch
// run where no TensorFlow binding has been built.
package live
