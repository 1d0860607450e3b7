package tests

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"

	"hearth/serving/tensor"
	"hearth/serving/tensorflow"
)

// servePredictFloor is the smallest server that answers predictions: net/http, our
// scanner, a run of the session, our formatting, in one process, with no isolation,
// batches, limits or metrics. It is what the speed of predictions is compared with.
func servePredictFloor(l net.Listener) error {
	interOp, intraOp, err := floorThreads()
	if err != nil {
		return err
	}
	if err := tensorflow.LoadLibrary(os.Getenv("HEARTH_TEST_TENSORFLOW")); err != nil {
		return err
	}
	model, err := tensorflow.Load(os.Getenv("HEARTH_BENCH_MODEL"), interOp, intraOp)
	if err != nil {
		return err
	}
	signatures := model.Signatures()
	buffers := sync.Pool{New: func() any { return &floorBuffers{} }}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := buffers.Get().(*floorBuffers)
		defer buffers.Put(b)
		if err := b.answer(r, model, signatures); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(b.out)))
		w.Write(b.out)
	}))
}

type floorBuffers struct{ in, out []byte }

func (b *floorBuffers) answer(r *http.Request, model *tensorflow.Model, signatures map[string]*tensor.Signature) error {
	if int64(cap(b.in)) < r.ContentLength {
		b.in = make([]byte, r.ContentLength)
	}
	b.in = b.in[:r.ContentLength]
	if _, err := io.ReadFull(r.Body, b.in); err != nil {
		return err
	}
	request, err := tensor.Decode(b.in, signatures)
	if err != nil {
		return err
	}
	outputs, err := model.Run(context.Background(), request.Signature, request.Inputs)
	if err != nil {
		return err
	}
	b.out, err = tensor.AppendPredictions(b.out[:0], request.Signature, outputs)
	return err
}

func floorThreads() (interOp, intraOp int32, err error) {
	_, err = fmt.Sscan(os.Getenv("HEARTH_BENCH_THREADS"), &interOp, &intraOp)
	return interOp, intraOp, err
}

// startPredictFloor runs one with a session of so many threads between and within
// operations.
func startPredictFloor(b *testing.B, modelDir string, interOp, intraOp int) string {
	return startProgram(b, "HEARTH_BENCH_PREDICT_FLOOR", "HEARTH_BENCH_MODEL="+modelDir, fmt.Sprintf("HEARTH_BENCH_THREADS=%d %d", interOp, intraOp))
}
