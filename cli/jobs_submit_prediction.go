package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

func jobsSubmitPredictionCommand() *cli.Command {
	return &cli.Command{
		Name:      "prediction",
		Usage:     "Submit a batch prediction",
		ArgsUsage: "JOB (--model MODEL [--version VERSION] | --model-dir FOLDER) --input-paths PATH,… --data-format FORMAT --output-path FOLDER [FLAGS]",
		Description: `Predicts all records of the objects at --input-paths and puts the results into --output-path, as prediction.results-SSSSS-of-NNNNN. In a path, * stands for any part of a name without a slash, and ** for any part.

Formats: json has a JSON instance in each line; text has them too, but for a model that takes a single string, of which each line is one as it stands; tf-record and tf-record-gzip have records that go, as bytes, to the only input of a model. Lines may be compressed with gzip.

Examples:

$ hearth jobs submit prediction digits_p1 --model digits --input-paths 'gs://digits/in/*' --data-format json \
    --output-path gs://digits/out/p1 --stream
$ hearth jobs submit prediction digits_p2 --model-dir gs://digits/jobs/digits_1/export --runtime-version 2.21 \
    --input-paths gs://digits/in/examples.tfrecord --data-format tf-record --output-path gs://digits/out/p2`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "`MODEL` to predict with"},
			&cli.StringFlag{Name: "version", Usage: "`VERSION` of the model; else its default one"},
			&cli.StringFlag{Name: "model-dir", Usage: "gs:// `FOLDER` of a SavedModel, in place of a model"},
			&cli.StringSliceFlag{Name: "input-paths", Usage: "gs:// `PATH`,PATH… of the input (required)"},
			&cli.StringFlag{Name: "data-format", Usage: "`FORMAT` of the input: json, text, tf-record or tf-record-gzip (required)"},
			&cli.StringFlag{Name: "output-data-format", Usage: "`FORMAT` of the results: json or csv"},
			&cli.StringFlag{Name: "output-path", Usage: "gs:// `FOLDER` of the results (required)"},
			&cli.StringFlag{Name: "region", Usage: "kept with the job; means nothing on one machine"},
			&cli.Int64Flag{Name: "batch-size", Usage: "records in one run; else as many as are found to be best"},
			&cli.Int64Flag{Name: "max-worker-count", Usage: "`COUNT` of processors that the job may take"},
			&cli.StringFlag{Name: "runtime-version", Usage: "`VERSION` of the runtime; else the version's own"},
			&cli.StringFlag{Name: "signature-name", Usage: "`SIGNATURE` of the model to use"},
			&cli.StringSliceFlag{Name: "labels", Usage: "`KEY=VALUE`,KEY=VALUE…"},
			&cli.BoolFlag{Name: "stream", Usage: "show how far the job is until it ends"},
		},
		Action: submitPrediction,
	}
}

func submitPrediction(c *cli.Context) error {
	id, err := word(c, "JOB")
	if err != nil {
		return err
	}
	daemon, err := connect(c)
	if err != nil {
		return err
	}
	job, err := predictionJob(c, id, daemon.Project())
	if err != nil {
		return err
	}
	submitted, err := daemon.SubmitJob(c.Context, job)
	if err != nil {
		return err
	}
	notice(c, "Job [%s] submitted.", submitted.JobID)
	if c.Bool("stream") {
		return streamPrediction(c, daemon, id)
	}
	notice(c, "Follow it with:\n\n  $ hearth jobs stream-logs %s\n", id)
	return printValue(c, jobSummaryOf(submitted))
}

// predictionJob makes the job that the flags describe.
func predictionJob(c *cli.Context, id, project string) (*ml.Job, error) {
	in := &ml.PredictionInput{InputPaths: c.StringSlice("input-paths"), BatchSize: ml.Int64(c.Int64("batch-size")), MaxWorkerCount: ml.Int64(c.Int64("max-worker-count"))}
	switch model, version, dir := c.String("model"), c.String("version"), c.String("model-dir"); {
	case (model == "") == (dir == ""):
		return nil, misuse(c, "give either --model or --model-dir")
	case version != "" && model == "":
		return nil, misuse(c, "--version needs --model")
	case version != "":
		in.VersionName = ml.VersionName(project, model, version)
	case model != "":
		in.ModelName = ml.ModelName(project, model)
	default:
		in.URI = dir
	}
	for _, flag := range []string{"data-format", "output-path"} {
		if _, err := required(c, flag); err != nil {
			return nil, err
		}
	}
	if len(in.InputPaths) == 0 {
		return nil, misuse(c, "--input-paths is missing")
	}
	setIf(c, "output-path", &in.OutputPath)
	setIf(c, "region", &in.Region)
	setIf(c, "runtime-version", &in.RuntimeVersion)
	setIf(c, "signature-name", &in.SignatureName)
	in.DataFormat, in.OutputDataFormat = enumOf(c.String("data-format")), enumOf(c.String("output-data-format"))
	labels, err := pairs(c, "labels")
	return &ml.Job{JobID: id, PredictionInput: in, Labels: labels}, err
}

// enumOf writes a flag's value as the API has it.
func enumOf(value string) string { return strings.ToUpper(strings.ReplaceAll(value, "-", "_")) }

// streamEvery is the pause between two looks at a job.
const streamEvery = 500 * time.Millisecond

// streamPrediction shows how far a batch prediction is until it ends. A job that
// did not succeed is an error.
func streamPrediction(c *cli.Context, daemon *client.Client, id string) error {
	view := newPredictionView(c.App.ErrWriter)
	tick := time.NewTicker(streamEvery)
	defer tick.Stop()
	for {
		job, err := daemon.Job(c.Context, id)
		if err != nil {
			return err
		}
		progress, err := daemon.PredictionProgress(c.Context, id)
		if err != nil {
			return err
		}
		view.show(job, progress, time.Now())
		if job.State.Final() {
			view.end()
			return endOfPrediction(c, job)
		}
		select {
		case <-tick.C:
		case <-c.Context.Done():
			return c.Context.Err()
		}
	}
}

func endOfPrediction(c *cli.Context, job *ml.Job) error {
	if out := job.PredictionOutput; out != nil {
		notice(c, "%d predictions, %d errors, in %s", out.PredictionCount, out.ErrorCount, out.OutputPath)
	}
	if err := printValue(c, jobSummaryOf(job)); err != nil {
		return err
	}
	if job.State == ml.JobSucceeded {
		return nil
	}
	if job.ErrorMessage == "" {
		return ml.Errorf(ml.Aborted, "job %s ended %s", job.JobID, job.State)
	}
	return ml.Errorf(ml.Aborted, "job %s ended %s: %s", job.JobID, job.State, job.ErrorMessage)
}

// predictionView is a bar on a terminal, and a line now and then elsewhere.
type predictionView struct {
	w     io.Writer
	bar   *progressbar.ProgressBar
	state ml.JobState
	// began and first are when, and where, the job was first seen at work.
	began time.Time
	first ml.PredictionProgress
	told  string
}

func newPredictionView(w io.Writer) *predictionView {
	v := &predictionView{w: w}
	if isTerminal(w) {
		v.bar = progressbar.NewOptions64(1, append(barOptions(w, "QUEUED"), progressbar.OptionSetPredictTime(false))...)
	}
	return v
}

func (v *predictionView) show(job *ml.Job, p ml.PredictionProgress, now time.Time) {
	if p.TotalBytes > 0 && v.began.IsZero() {
		v.began, v.first = now, p
	}
	text := describeProgress(p, v.first, now.Sub(v.began))
	if v.bar == nil {
		if job.State != v.state || text != "" && text != v.told && !job.State.Final() {
			fmt.Fprintln(v.w, strings.TrimSpace(string(job.State)+" "+text))
		}
		v.state, v.told = job.State, text
		return
	}
	v.bar.Describe(strings.TrimSpace(string(job.State) + " " + text))
	if p.TotalBytes > 0 {
		v.bar.ChangeMax64(p.TotalBytes)
		_ = v.bar.Set64(min(p.Bytes, p.TotalBytes-1)) // the end is the job's
	}
}

func (v *predictionView) end() {
	if v.bar != nil {
		_ = v.bar.Finish()
	}
}

// describeProgress says how far a job is, how fast, and how long it will take.
func describeProgress(p, first ml.PredictionProgress, took time.Duration) string {
	if p.TotalBytes == 0 {
		return ""
	}
	text := fmt.Sprintf("%d%%, %d predictions", 100*p.Bytes/p.TotalBytes, p.Predictions)
	if p.Errors > 0 {
		text += fmt.Sprintf(", %d errors", p.Errors)
	}
	if done := p.Bytes - first.Bytes; done > 0 && took >= time.Second {
		left := time.Duration(float64(took) * float64(p.TotalBytes-p.Bytes) / float64(done))
		text += fmt.Sprintf(", %.0f/s, %s left", float64(p.Predictions-first.Predictions)/took.Seconds(), left.Round(time.Second))
	}
	return text
}
