package worker

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"hearth/ml"
	"hearth/serving/tensor"
	"hearth/serving/tfrecord"
)

// recordedFile is where a SavedModel brings requests to be warmed up with, as
// TensorFlow Serving has them: PredictionLogs in a TFRecord.
var recordedFile = filepath.Join("assets.extra", "tf_serving_warmup_requests")

// Of a model's own requests no more are read than this: TensorFlow Serving stops
// there too, and a frame would not carry a larger one.
const (
	maxRecorded     = 1000
	maxRecordedSize = 256 << 20
)

// readRecorded gives the encoded PredictRequests that a model brings, none if it
// brings none. Requests of other kinds are passed over.
func readRecorded(dir string) ([][]byte, error) {
	f, err := os.Open(filepath.Join(dir, recordedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read warm-up requests: %w", err)
	}
	defer f.Close()
	var requests [][]byte
	size := 0
	r := tfrecord.NewReader(bufio.NewReaderSize(f, 1<<20), maxRecordedSize)
	for n := 1; n <= maxRecorded && size < maxRecordedSize; n++ {
		record, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, ml.Errorf(ml.InvalidArgument, "The model's %s cannot be read: %v.", recordedFile, err)
		}
		request, err := tensor.LoggedRequest(record)
		if err != nil {
			return nil, recordedError(n, err)
		}
		if request != nil {
			requests, size = append(requests, bytes.Clone(request)), size+len(request)
		}
	}
	return requests, nil
}

func recordedError(n int, err error) error {
	return ml.Errorf(ml.InvalidArgument, "Request %d of the model's %s: %s", n, recordedFile, sentence(err))
}

// samples has inputs to try a model out with: rows of the requests that it
// brought, or made-up ones.
type samples struct {
	// requests are those that the model brought.
	requests []tensor.Request
	// rows are different ones of theirs, any of which can stand in one tensor.
	rows map[*tensor.Signature][]map[string]*tensor.Tensor
}

// newSamples reads recorded requests by the signatures of a model.
func newSamples(recorded [][]byte, signatures map[string]*tensor.Signature) (*samples, error) {
	s := &samples{rows: map[*tensor.Signature][]map[string]*tensor.Tensor{}}
	for i, body := range recorded {
		r, err := tensor.DecodeProto(body, signatures)
		if err != nil {
			return nil, recordedError(i+1, err)
		}
		s.requests = append(s.requests, r)
		s.addRows(r)
	}
	return s, nil
}

// maxSampleRows is how many rows are kept of a signature.
const maxSampleRows = 64

func (s *samples) addRows(r tensor.Request) {
	for i := range commonRows(r.Inputs) {
		known := s.rows[r.Signature]
		if len(known) >= maxSampleRows {
			return
		}
		row := make(map[string]*tensor.Tensor, len(r.Inputs))
		for name, t := range r.Inputs {
			row[name] = t.Cut(i, i+1)
		}
		if len(known) > 0 && !fits(known[0], row) || slices.ContainsFunc(known, func(k map[string]*tensor.Tensor) bool { return equal(k, row) }) {
			continue
		}
		s.rows[r.Signature] = append(known, row)
	}
}

// fits says whether rows of two requests can stand in one tensor each.
func fits(a, b map[string]*tensor.Tensor) bool {
	return maps.EqualFunc(a, b, tensor.SameRows)
}

func equal(a, b map[string]*tensor.Tensor) bool {
	return maps.EqualFunc(a, b, func(x, y *tensor.Tensor) bool {
		return bytes.Equal(x.Data, y.Data) && slices.EqualFunc(x.Strings, y.Strings, bytes.Equal)
	})
}

// take gives n rows for a signature, from number first on, which is 0 or 1: these two
// differ.
func (s *samples) take(sig *tensor.Signature, n int64, first int) (map[string]*tensor.Tensor, bool) {
	rows := s.rows[sig]
	if len(rows) == 0 {
		return synthetic(sig, n, byte(first))
	}
	if first >= len(rows) {
		return nil, false
	}
	in := make(map[string]*tensor.Tensor, len(rows[0]))
	for name := range rows[0] {
		parts := make([]*tensor.Tensor, n)
		for i := range parts {
			parts[i] = rows[(first+i)%len(rows)][name]
		}
		in[name] = tensor.Join(parts)
	}
	return in, true
}
