// Package worker is the process that serves one version of a model: the hidden
// command `hearth model-worker`. It listens on a unix socket in its process
// folder, loads and warms up one SavedModel and answers predictions, which come
// as frames.
//
// The HTTP of predict (its dialect, its errors) is one [Handler], the same
// however a request comes in. It knows nothing of the daemon: neither storage
// nor scheduling nor who asks.
//
// A worker that cannot serve its model says so when asked and stays until it
// is told to end; one that is told to end (SIGTERM) finishes the requests it
// has read. If it dies its connections close, and that is all anyone needs to
// know.
package worker

import (
	"context"

	"hearth/serving/tensor"
)

// Servable is a model in memory. Run may be called from many goroutines.
type Servable interface {
	// Signatures gives the ways to call the model, by name.
	Signatures() map[string]*tensor.Signature
	// Run computes the outputs, in the order of the signature's OutputNames. A
	// model that refuses its inputs gives an INVALID_ARGUMENT. in is not used
	// after Run has returned.
	Run(ctx context.Context, sig *tensor.Signature, in map[string]*tensor.Tensor) ([]*tensor.Tensor, error)
	Close() error
}

// Loader reads the model in a folder, for a session that spreads its work in a
// certain way. Its error is shown to the model's owner.
type Loader func(ctx context.Context, dir string, threads Threads) (Servable, error)
