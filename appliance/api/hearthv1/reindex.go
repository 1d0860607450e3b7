package hearthv1

import (
	"context"
	"net/http"
	"sync/atomic"

	"hearth/ml"
	"hearth/ml/rest"
	"hearth/storage/object"
)

// reindexer lets one at a time reindex the bucket.
type reindexer struct {
	run     func(context.Context, func(object.Reindexed)) (object.Reindexed, error)
	running atomic.Bool
}

// serve answers with one JSON object a line as the counts grow; the last has
// the result or the error. It ends with the client.
func (x *reindexer) serve(w http.ResponseWriter, r *http.Request, _ rest.Params) error {
	var nothing struct{}
	if err := rest.Decode(r, &nothing, maxBody); err != nil {
		return err
	}
	if !x.running.CompareAndSwap(false, true) {
		return ml.Errorf(ml.Aborted, "The bucket is being reindexed already: try again when that has ended.")
	}
	defer x.running.Store(false)
	lines := newLineWriter(w)
	result, err := x.run(r.Context(), func(p object.Reindexed) { lines.write(p) })
	if err != nil {
		lines.write(rest.Object(err))
		return nil
	}
	lines.write(map[string]any{"result": result})
	return nil
}
