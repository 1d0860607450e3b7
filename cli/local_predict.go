package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"hearth/appliance"
	"hearth/ml"
	"hearth/serving/frame"
	"hearth/serving/worker"
)

func localPredictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "Ask a SavedModel here, before it is a version",
		ArgsUsage: "--model-dir FOLDER (--json-instances | --text-instances | --json-request) FILE",
		Description: `Loads the SavedModel into this process, with the TensorFlow of a runtime, and asks it as a version would be asked. A gs:// FOLDER is first copied from the bucket. --data names the installation's data folder where no daemon runs.

Examples:

$ hearth local predict --model-dir ./export --json-instances images.json
$ hearth local predict --model-dir gs://digits/jobs/digits_1/export --json-request request.json --runtime-version 2.15`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "model-dir", Usage: "`FOLDER` of the SavedModel, gs:// or local (required)"},
			&cli.StringFlag{Name: "runtime-version", Usage: "`VERSION` of the runtime (default: that of jobs and versions)"},
			&cli.StringFlag{Name: "framework", Usage: "`FRAMEWORK`: tensorflow"},
			&cli.StringFlag{Name: "data", Usage: "data `FOLDER` of the installation (default: that of the daemon)"},
		}, bodyFlags()...),
		Action: localPredict,
	}
}

func localPredict(c *cli.Context) error {
	if _, err := words(c); err != nil {
		return err
	}
	dir, err := required(c, "model-dir")
	if err != nil {
		return err
	}
	if f := c.String("framework"); f != "" && f != "tensorflow" {
		return misuse(c, "--framework %s: only tensorflow is served", f)
	}
	body, err := predictBody(c)
	if err != nil {
		return err
	}
	library, err := localTensorFlow(c)
	if err != nil {
		return err
	}
	dir, remove, err := localModel(c, dir)
	if err != nil {
		return err
	}
	defer remove()
	h, err := worker.Open(c.Context, worker.Options{
		ModelDir: dir, Limits: worker.Limits{Batch: 1}, Log: zerolog.Nop(),
		Loader: loader(library),
	})
	if err != nil {
		return err
	}
	answer, err := h.Predict(frame.AIPlatform, time.Time{}, body, nil)
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK {
		return refusal(answer.Body)
	}
	return printPredictions(c, answer.Body)
}

// refusal is the error in an answer that has one.
func refusal(answer []byte) error {
	var e struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(answer, &e); err != nil {
		return fmt.Errorf("read the answer %q: %w", answer, err)
	}
	return ml.Errorf(ml.InvalidArgument, "%s", e.Error)
}

// localTensorFlow finds the tensorflow package of a runtime.
func localTensorFlow(c *cli.Context) (string, error) {
	data, version := c.String("data"), cmp.Or(c.String("runtime-version"), appliance.DefaultConfig().Runtimes.Default)
	if data == "" {
		daemon, err := connect(c)
		if err != nil {
			return "", err
		}
		status, err := daemon.Status(c.Context)
		if err != nil {
			return "", err
		}
		data = status.Data
	}
	runtime, err := openRuntime(data, version)
	if err != nil {
		return "", err
	}
	return runtime.TensorFlowDir, nil
}

// localModel gives the folder of a SavedModel on this disk: a copy that is to be
// removed, if it is in the bucket.
func localModel(c *cli.Context, dir string) (local string, remove func(), err error) {
	remove = func() {}
	if _, _, ok := ml.ObjectURI(dir); !ok {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return "", nil, misuse(c, "--model-dir %s is not a folder", dir)
		}
		return dir, remove, nil
	}
	daemon, err := connect(c)
	if err != nil {
		return "", nil, err
	}
	if local, err = os.MkdirTemp("", "hearth-model-"); err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(local) }
	if err := downloadTree(c, daemon, dir, local); err != nil {
		remove()
		return "", nil, err
	}
	return local, remove, nil
}
