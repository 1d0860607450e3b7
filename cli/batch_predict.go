package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/serving/batch"
	"hearth/serving/tensorflow"
	"hearth/serving/worker"
)

// batchPredictMain is `hearth batch-predict`: the process that does a batch
// prediction.
func batchPredictMain(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: hearth batch-predict TASK")
		return exitUsage
	}
	var task ml.PredictionTask
	b, err := os.ReadFile(args[0])
	if err == nil {
		err = json.Unmarshal(b, &task)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hearth batch-predict: read the task:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err = batch.Main(ctx, batch.Options{
		Task: task, Proxy: os.Getenv(ml.EnvPredictionProxy), Log: zerolog.New(os.Stderr).With().Timestamp().Logger(),
		Loader: func(dir string) (worker.Servable, error) {
			if err := tensorflow.LoadLibrary(task.TensorFlow); err != nil {
				return nil, err
			}
			// Each run in the thread that asks, since there are as many runs as processors.
			model, err := tensorflow.Load(dir, -1, 1)
			if err != nil {
				return nil, err
			}
			return model, nil
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "hearth batch-predict:", err)
		return exitFailed
	}
	return exitOK
}
