package frame

import (
	"errors"
	"flag"
	"io"
	"path/filepath"
	"strconv"
	"time"
)

// WorkerCommand is the hidden command of the program that is a model worker.
const WorkerCommand = "model-worker"

// Launch is what the daemon tells a worker on its command line.
type Launch struct {
	// Dir is the worker's process folder; its socket is there.
	Dir string
	// Model is the folder of the SavedModel.
	Model string
	// TensorFlow is the folder of the tensorflow package whose library serves it.
	TensorFlow string
	// Runs is how many session runs may be under way at once; 0 means one per
	// processor.
	Runs int
	// InFlight, MaxBody (bytes) and Timeout bound requests, Batch the rows of those that
	// share a run; 0 means a default.
	InFlight int
	Batch    int
	// Tuning is what an earlier worker found, nil if none has.
	Tuning  *Tuning
	MaxBody int64
	Timeout time.Duration
}

// Args gives the command line behind the program's name.
func (l Launch) Args() []string {
	return []string{WorkerCommand, "--model", l.Model, "--tensorflow", l.TensorFlow, "--runs", strconv.Itoa(l.Runs),
		"--in-flight", strconv.Itoa(l.InFlight), "--batch", strconv.Itoa(l.Batch), "--max-body", strconv.FormatInt(l.MaxBody, 10), "--timeout", l.Timeout.String(), "--tuning", l.Tuning.String(), l.Dir}
}

// ParseLaunch reads what follows [WorkerCommand] on a worker's command line.
func ParseLaunch(args []string) (Launch, error) {
	var l Launch
	f := flag.NewFlagSet(WorkerCommand, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&l.Model, "model", "", "")
	f.StringVar(&l.TensorFlow, "tensorflow", "", "")
	f.IntVar(&l.Runs, "runs", 0, "")
	f.IntVar(&l.InFlight, "in-flight", 0, "")
	f.IntVar(&l.Batch, "batch", 0, "")
	f.Int64Var(&l.MaxBody, "max-body", 0, "")
	tuning := f.String("tuning", "", "")
	f.DurationVar(&l.Timeout, "timeout", 0, "")
	if err := f.Parse(args); err != nil {
		return l, err
	}
	l.Dir, l.Tuning = f.Arg(0), ParseTuning(*tuning)
	if f.NArg() != 1 || !filepath.IsAbs(l.Dir) || !filepath.IsAbs(l.Model) || l.Runs < 0 {
		return l, errors.New("a model worker is started by the daemon: model-worker --model DIR --tensorflow DIR --runs N FOLDER")
	}
	return l, nil
}
