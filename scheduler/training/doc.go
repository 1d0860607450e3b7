// Package training knows what a training replica is: where its package comes
// from, the environment in which Cloud Machine Learning Engine runs it, its
// command line, and what is wrong with it when it has ended.
//
// A trainer runs as `python -m MODULE ARGS… --job-dir DIR` in the attempt's
// folder, with TF_CONFIG and CLOUD_ML_* as the service sets them. It reaches
// gs:// through the daemon's proxy with credentials of its own, so neither
// TensorFlow nor Google's client libraries need to be told anything.
//
// The package decides and describes; it starts nothing.
package training
