package cli

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/rs/zerolog"

	"hearth/serving/frame"
	"hearth/serving/tensorflow"
	"hearth/serving/worker"
)

// modelWorkerMain is `hearth model-worker`: the process that serves one
// version.
func modelWorkerMain(args []string) int {
	launch, err := frame.ParseLaunch(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hearth model-worker:", err)
		return exitUsage
	}
	err = worker.Main(context.Background(), worker.Options{
		Dir:      launch.Dir,
		ModelDir: launch.Model,
		Runs:     launch.Runs,
		Tuning:   launch.Tuning,
		Limits:   worker.Limits{InFlight: launch.InFlight, Batch: launch.Batch, Body: launch.MaxBody, Timeout: launch.Timeout},
		Log:      zerolog.New(os.Stderr).With().Timestamp().Logger(),
		Threads:  worker.Ways(runtime.GOMAXPROCS(0)),
		Loader:   loader(launch.TensorFlow),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "hearth model-worker:", err)
		return exitFailed
	}
	return exitOK
}

// loader loads models with the library of a tensorflow package.
func loader(library string) worker.Loader {
	return func(_ context.Context, dir string, threads worker.Threads) (worker.Servable, error) {
		if err := tensorflow.LoadLibrary(library); err != nil {
			return nil, err
		}
		// A nil *Model must not become a Servable that is not nil.
		model, err := tensorflow.Load(dir, threads.InterOp, threads.IntraOp)
		if err != nil {
			return nil, err
		}
		return model, nil
	}
}
