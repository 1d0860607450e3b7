// Package gcemetadata answers what programs ask of Compute Engine's metadata
// server: that it is there, which project this is, and for an access token.
// Google's libraries and TensorFlow find their credentials this way when their
// GCE_METADATA_HOST points here.
//
// Anything local can ask, so what is handed out is worth nothing: a job is
// known by its credentials at the proxy, and [Token] beside them is ignored.
package gcemetadata
