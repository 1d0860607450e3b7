// Package serving is the catalogue of models and versions and keeps each
// version's worker running: the process that holds one SavedModel and answers
// predictions for it. There is no TensorFlow here.
//
// A [Manager] is the only writer of models, versions and their operations. What
// is wanted stands in the metadata; plan compares it with what is being done
// and says what to begin or break off; for each version one task does it:
// serve, clean or remove. Every task can be broken off anywhere, by the end of
// the daemon too, and begun again: it looks at what is there and goes on.
//
// Workers outlive the daemon. A daemon that starts again finds them by the
// number that the metadata recorded and asks them how they are.
//
// Predictions go by a table that is replaced as a whole whenever something
// changes, through a pool of connections for each version. A worker that dies
// closes its connections, so its requests fail at once, and those of other
// versions never meet it.
//
// Caveats: the answer of a prediction lies in a buffer of its connection until
// it is released. Removing a bucket's objects or a runtime does not end a
// version that is loaded.
package serving
