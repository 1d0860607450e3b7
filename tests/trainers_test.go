package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// cluster is a job of these replicas, in the flags of hearth and of gcloud.
const cluster = "--scale-tier custom --master-machine-type standard --worker-machine-type standard --worker-count "

// trainers are programs as their users wrote them, in trainers/; none of them
// knows of Hearth.
var trainers = []struct {
	name    string
	folder  string
	runtime string
	// flags are what the submit says beyond the package; gcloud has no flags
	// for the rest of what config says.
	flags, config string
	args          string
	// files are what must be in the bucket afterwards, log what must be said.
	files, log []string
}{
	{
		name: "estimator_with_master", folder: "estimator", runtime: "2.15",
		flags:  cluster + "1 --parameter-server-machine-type standard --parameter-server-count 1",
		config: "trainingInput:\n  useChiefInTfConfig: false\n",
		files:  []string{"export/flowers/", "checkpoint", "eval/"},
		log:    []string{"I am master 0", "I am worker 0", "I am ps 0"},
	},
	{
		name: "estimator_with_chief", folder: "estimator", runtime: "2.15",
		flags:  cluster + "1 --parameter-server-machine-type standard --parameter-server-count 1",
		config: "trainingInput:\n  evaluatorType: standard\n  evaluatorCount: 1\n",
		files:  []string{"checkpoint", "eval/"},
		log:    []string{"I am chief 0", "I am worker 0", "I am ps 0", "I am evaluator 0"},
	},
	{
		name: "multi_worker", folder: "multi_worker", runtime: "2.21", flags: cluster + "2",
		files: []string{"model/line.index"},
		log:   []string{"replicas in sync: 3", "y = 3.0"},
	},
	{
		name: "parameter_server", folder: "parameter_server", runtime: "2.21",
		flags: cluster + "2 --parameter-server-machine-type standard --parameter-server-count 1",
		files: []string{"model/line.index"},
		log:   []string{"worker 1 serves", "ps 0 serves", "epoch 5"},
	},
	{
		name: "keras", folder: "keras", runtime: "2.21", flags: "--scale-tier basic",
		files: []string{"export/saved_model.pb"}, log: []string{"with Keras 3."},
	},
	{
		name: "keras2", folder: "keras2", runtime: "2.21-keras2", flags: "--scale-tier basic",
		files: []string{"export/saved_model.pb"}, log: []string{"rate 0.0"},
	},
	{
		name: "tensorflow1", folder: "tensorflow1", runtime: "1.15", flags: "--scale-tier basic",
		args:  "--train_steps 50",
		files: []string{"census/export/Servo/", "params.joblib"}, log: []string{"TensorFlow 1.15.5 reads 500 lines"},
	},
	{
		name: "scikit", folder: "scikit", runtime: "2.21", flags: "--scale-tier basic",
		files: []string{"model.joblib"}, log: []string{"accuracy 0.9"},
	},
}

// With HEARTH_TEST_LONG all of them are submitted with both programs, otherwise
// each with one: gcloud's configuration and ours are the same job.
func TestTrainers(t *testing.T) {
	d := newDaemonOfRuntimes(t)
	d.must("storage", "buckets", "create", "gs://trainers")
	for i, c := range trainers {
		for j, program := range []string{"hearth", "gcloud"} {
			if i%2 != j && os.Getenv("HEARTH_TEST_LONG") == "" {
				continue
			}
			t.Run(c.name+"/"+program, func(t *testing.T) { d.runTrainer(t, i, program) })
		}
	}
}

// newDaemonOfRuntimes is newDaemon with all of the tests' runtimes.
func newDaemonOfRuntimes(t testing.TB) *daemon {
	d := prepareDaemon(t)
	for _, name := range []string{"2.15", "1.15", "2.21-keras2"} {
		d.linkRuntime(name)
	}
	d.start()
	d.waitReady()
	return d
}

// linkRuntime makes one of the tests' runtimes the daemon's, if it is there.
func (d *daemon) linkRuntime(name string) {
	d.t.Helper()
	from := filepath.Join(fromEnv(d.t, "HEARTH_TEST_RUNTIMES"), name)
	if _, err := os.Stat(filepath.Join(from, "runtime.json")); err == nil {
		check(d.t, os.Symlink(from, filepath.Join(d.data, "runtimes", name)))
	}
}

func (d *daemon) runTrainer(t *testing.T, which int, program string) {
	c := trainers[which]
	if _, err := os.Stat(filepath.Join(d.data, "runtimes", c.runtime)); err != nil {
		t.Skipf("runtime %s is not installed for the tests: this machine has no Python that fits it", c.runtime)
	}
	if _, err := exec.LookPath("gcloud"); err != nil && program == "gcloud" {
		t.Skip("gcloud is not installed")
	}
	job := c.name + "_" + program
	command := "hearth jobs submit training"
	if program == "gcloud" {
		command = `eval "$(hearth env --for gcloud)"` + "\ngcloud ai-platform jobs submit training"
	}
	config := c.config
	if config == "" {
		config = "trainingInput: {}\n"
	}
	source, err := filepath.Abs(filepath.Join("trainers", c.folder))
	check(t, err)
	out, err := d.script("cp -r " + source + " " + job + " && cd " + job + "\ncat >config.yaml <<'Y'\n" + config + "Y\n" +
		command + " " + job + " --package-path trainer --module-name trainer.task --runtime-version " + c.runtime +
		" --region us-central1 --job-dir gs://trainers/" + job + " --staging-bucket gs://trainers --config config.yaml " + c.flags + " -- " + c.args)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log, _ := d.hearth("jobs", "stream-logs", job)
	if got := d.wait(job); got["state"] != "SUCCEEDED" {
		t.Fatalf("%v: %v\n%s", got["state"], got["errorMessage"], log)
	}
	for _, want := range c.log {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	files := d.must("storage", "ls", "--recursive", "gs://trainers/"+job+"/**")
	for _, want := range c.files {
		if !strings.Contains(files, "gs://trainers/"+job+"/"+want) {
			t.Errorf("the bucket lacks %q:\n%s", want, files)
		}
	}
}
