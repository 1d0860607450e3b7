// Package runtimes keeps TensorFlow installs and the environments layered on
// them.
//
// A runtime is a Python virtual environment in runtimes/NAME with one version
// of TensorFlow. An environment, environments/KEY, adds to a runtime what one
// set of trainer packages needs; jobs with the same packages share it, so that
// only the first of them installs anything. A record that is written last
// (runtime.json, environment.json) says that a folder is complete; a folder
// without it is the rest of an interrupted install and is made again.
//
// The work is done by Python's own venv and pip. pip is configured as the
// daemon's environment configures it, so mirrors, certificates and proxies of
// a site apply here too.
//
// Caveats: both kinds of folder hold absolute paths and cannot be moved. One
// daemon at a time installs runtimes; environments are built by processes of
// their own, which lock what they build.
package runtimes
