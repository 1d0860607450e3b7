package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/ml"
)

func jobsSubmitTrainingCommand() *cli.Command {
	return &cli.Command{
		Name:      "training",
		Usage:     "Submit a training job",
		ArgsUsage: "JOB --module-name MODULE [--package-path DIR | --packages FILE,…] [FLAGS] [-- TRAINER_ARGUMENTS…]",
		Description: `Builds the package at --package-path, puts it and the local files of --packages into the bucket, and submits a job that runs MODULE. What stands behind "--" is handed to the trainer.

A package is built from the folder that holds it: with the setup.py or pyproject.toml there, or with a minimal setup.py where there is neither. Packages go to gs://BUCKET/JOB/SHA256/ for --staging-bucket, or to JOB_DIR/packages/SHA256/.

Examples:

$ hearth jobs submit training digits_1 --package-path trainer --module-name trainer.task \
    --job-dir gs://digits/jobs/digits_1 --stream-logs -- --data gs://digits/data/digits.csv.gz
$ hearth jobs submit training digits_2 --packages gs://digits/trainer-1.0.tar.gz --module-name trainer.task \
    --scale-tier custom --master-machine-type n1-standard-4 --master-accelerator count=1,type=nvidia-tesla-t4
$ hearth jobs submit training digits_3 --package-path trainer --module-name trainer.task --job-dir gs://digits/jobs/digits_3 \
    --scale-tier custom --master-machine-type standard --worker-machine-type standard --worker-count 2 \
    --parameter-server-machine-type standard --parameter-server-count 1
$ hearth jobs submit training digits_4 --config job.yaml --packages dist/trainer-1.0.tar.gz --staging-bucket gs://digits`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "module-name", Usage: "`MODULE` to run, as python -m does"},
			&cli.StringFlag{Name: "package-path", Usage: "`DIR` of the Python package to build"},
			&cli.StringSliceFlag{Name: "packages", Usage: "packages, local or gs://: `FILE`,FILE…"},
			&cli.StringFlag{Name: "staging-bucket", Usage: "`BUCKET` for packages, as gs://BUCKET"},
			&cli.StringFlag{Name: "job-dir", Usage: "gs:// `FOLDER` handed to the trainer as --job-dir"},
			&cli.StringFlag{Name: "region", Usage: "kept with the job; means nothing on one machine"},
			&cli.StringFlag{Name: "runtime-version", Usage: "`VERSION` of the runtime (see hearth runtimes list)"},
			&cli.StringFlag{Name: "python-version", Usage: "`VERSION` of Python, which must be the runtime's"},
			&cli.StringFlag{Name: "scale-tier", Usage: "`TIER`: basic, basic-gpu, standard-1, premium-1 or custom"},
		}, allReplicaFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "use-chief-in-tf-config", Usage: "call the master chief in TF_CONFIG (--use-chief-in-tf-config=false: master); else the runtime decides"},
			&cli.IntFlag{Name: "priority", Usage: "0 to 1000; jobs of a higher `PRIORITY` start first"},
			&cli.DurationFlag{Name: "max-wait-time", Usage: "`TIME` in the queue after which the job fails, such as 2h"},
			&cli.DurationFlag{Name: "max-running-time", Usage: "`TIME` after which the job is stopped, such as 12h"},
			&cli.StringFlag{Name: "service-account", Usage: "`ACCOUNT` that the job acts as"},
			&cli.StringFlag{Name: "config", Usage: "YAML or JSON `FILE` with the job; flags go before it"},
			&cli.StringSliceFlag{Name: "labels", Usage: "`KEY=VALUE`,KEY=VALUE…"},
			&cli.BoolFlag{Name: "stream-logs", Usage: "follow the job's log until it ends"},
			&cli.BoolFlag{Name: "async", Usage: "do not wait for the job (the default)"},
		}),
		Action: submitTraining,
	}
}

func submitTraining(c *cli.Context) error {
	given, err := exactly(c, c.Args().Slice(), []string{"JOB"})
	if err != nil {
		return err
	}
	job, err := trainingJob(c, given[0])
	if err != nil {
		return err
	}
	if c.Bool("async") && c.Bool("stream-logs") {
		return misuse(c, "--async and --stream-logs exclude each other")
	}
	daemon, err := connect(c)
	if err != nil {
		return err
	}
	uris, err := stagePackages(c, daemon, job)
	if err != nil {
		return err
	}
	job.TrainingInput.PackageURIs = append(job.TrainingInput.PackageURIs, uris...)
	submitted, err := daemon.SubmitJob(c.Context, job)
	if err != nil {
		return err
	}
	notice(c, "Job [%s] submitted.", submitted.JobID)
	if c.Bool("stream-logs") {
		return streamLogs(c, daemon, submitted.JobID)
	}
	notice(c, "Follow it with:\n\n  $ hearth jobs stream-logs %s\n", submitted.JobID)
	return printValue(c, jobSummaryOf(submitted))
}

// trainingJob makes the job that flags and --config describe, without its
// packages.
func trainingJob(c *cli.Context, id string) (*ml.Job, error) {
	job := &ml.Job{}
	if err := readConfig(c, job); err != nil {
		return nil, err
	}
	job.JobID = id
	if job.TrainingInput == nil {
		job.TrainingInput = &ml.TrainingInput{}
	}
	in := job.TrainingInput
	setIf(c, "module-name", &in.PythonModule)
	setIf(c, "job-dir", &in.JobDir)
	setIf(c, "region", &in.Region)
	setIf(c, "runtime-version", &in.RuntimeVersion)
	setIf(c, "python-version", &in.PythonVersion)
	setIf(c, "service-account", &in.ServiceAccount)
	if c.IsSet("scale-tier") {
		in.ScaleTier = strings.ToUpper(strings.ReplaceAll(c.String("scale-tier"), "-", "_"))
	}
	if err := setReplicas(c, in); err != nil {
		return nil, err
	}
	setScheduling(c, in)
	if c.IsSet("use-chief-in-tf-config") {
		chief := c.Bool("use-chief-in-tf-config")
		in.UseChiefInTFConfig = &chief
	}
	if args := tail(c); len(args) > 0 {
		in.Args = args
	}
	labels, err := pairs(c, "labels")
	if err != nil {
		return nil, err
	}
	if labels != nil {
		job.Labels = labels
	}
	if in.PythonModule == "" {
		return nil, misuse(c, "--module-name is missing")
	}
	if !c.IsSet("package-path") && len(c.StringSlice("packages")) == 0 && len(in.PackageURIs) == 0 {
		return nil, misuse(c, "--package-path or --packages is missing")
	}
	return job, nil
}

// stagingFolder gives the bucket and the prefix that packages of a job go
// below.
func stagingFolder(c *cli.Context, job *ml.Job) (bucket, prefix string, err error) {
	if staging := c.String("staging-bucket"); staging != "" {
		bucket, prefix, ok := ml.ObjectURI(staging)
		if !ok {
			return "", "", misuse(c, "--staging-bucket %s: write gs://BUCKET", staging)
		}
		return bucket, joinObject(prefix, job.JobID), nil
	}
	if dir := job.TrainingInput.JobDir; dir != "" {
		bucket, prefix, ok := ml.ObjectURI(dir)
		if !ok {
			return "", "", misuse(c, "--job-dir %s: write gs://BUCKET/FOLDER", dir)
		}
		return bucket, joinObject(prefix, "packages"), nil
	}
	return "", "", misuse(c, "--staging-bucket or --job-dir is missing: packages must go somewhere")
}

// joinObject joins parts of an object's name with single slashes between them.
func joinObject(parts ...string) string {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" })
	for i := range parts[:max(len(parts)-1, 0)] {
		parts[i] = strings.TrimRight(parts[i], "/")
	}
	return strings.Join(parts, "/")
}

// jobSummary is what is printed of a job that was just submitted or followed.
type jobSummary struct {
	JobID     string       `json:"jobId"`
	State     ml.JobState  `json:"state"`
	StartTime ml.Timestamp `json:"startTime,omitzero"`
	EndTime   ml.Timestamp `json:"endTime,omitzero"`
}

func jobSummaryOf(job *ml.Job) jobSummary {
	return jobSummary{JobID: job.JobID, State: job.State, StartTime: job.StartTime, EndTime: job.EndTime}
}

// notice tells the user something that is no part of the output.
func notice(c *cli.Context, format string, args ...any) {
	if !c.Bool("quiet") {
		fmt.Fprintf(c.App.ErrWriter, format+"\n", args...)
	}
}
