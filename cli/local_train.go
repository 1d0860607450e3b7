package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"hearth/ml"
	"hearth/scheduler/runtimes"
	"hearth/scheduler/training"
	"hearth/storage/metadata"
)

func localTrainCommand() *cli.Command {
	return &cli.Command{
		Name:      "train",
		Usage:     "Run a trainer here, without a daemon",
		ArgsUsage: "--module-name MODULE [FLAGS] [-- TRAINER_ARGUMENTS…]",
		Description: `Runs MODULE as a job would, from the folder above --package-path, with the python on the PATH or a runtime's, and with TF_CONFIG set. With --distributed there are a master, workers and parameter servers, each a process of its own, as in a cluster; what they print has their names in front. When the master has ended, or on Ctrl-C, all of them are ended with all that they have started. The exit status is the master's.

To reach gs:// paths run it below hearth exec.

Examples:

$ hearth local train --package-path trainer --module-name trainer.task -- --steps 100
$ hearth exec -- hearth local train --module-name trainer.task --runtime-version 2.15 --job-dir gs://digits/local \
    --distributed --worker-count 2 --parameter-server-count 1`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "module-name", Usage: "`MODULE` to run, as python -m does"},
			&cli.StringFlag{Name: "package-path", Usage: "`DIR` of the Python package; else the module is looked for in the current folder"},
			&cli.StringFlag{Name: "job-dir", Usage: "`FOLDER` handed to the trainer as --job-dir"},
			&cli.StringFlag{Name: "runtime-version", Usage: "run on the daemon's runtime `VERSION`, with no packages but its own"},
			&cli.BoolFlag{Name: "distributed", Usage: "run a cluster"},
			&cli.IntFlag{Name: "worker-count", Value: 2, Usage: "how many workers, with --distributed"},
			&cli.IntFlag{Name: "parameter-server-count", Value: 2, Usage: "how many parameter servers, with --distributed"},
			&cli.IntFlag{Name: "evaluator-count", Usage: "how many evaluators, with --distributed"},
			&cli.IntFlag{Name: "start-port", Value: 27182, Usage: "first `PORT` of the cluster"},
			&cli.BoolFlag{Name: "use-chief-in-tf-config", Usage: "call the master chief in TF_CONFIG, as TensorFlow 2 wants it; without it master, unless --runtime-version says otherwise"},
		},
		Action: localTrain,
	}
}

func localTrain(c *cli.Context) error {
	if _, err := exactly(c, c.Args().Slice(), nil); err != nil {
		return err
	}
	module, err := required(c, "module-name")
	if err != nil {
		return err
	}
	replicas, err := localReplicas(c)
	if err != nil {
		return err
	}
	python, environ, err := localPython(c)
	if err != nil {
		return err
	}
	folder, err := localFolder(c)
	if err != nil {
		return err
	}
	args := append([]string{"-m", module}, tail(c)...)
	if dir := c.String("job-dir"); dir != "" {
		args = append(args, "--job-dir", dir)
	}
	master := localMaster(c)
	cluster := training.NewCluster(replicas, master)
	var commands []*exec.Cmd
	for _, r := range replicas {
		config, err := cluster.TFConfig(r.Replica, master, nil)
		if err != nil {
			return err
		}
		cmd := exec.Command(python, args...)
		cmd.Dir, cmd.Env = folder, append(environ[:len(environ):len(environ)], "TF_CONFIG="+config)
		commands = append(commands, cmd)
	}
	return runTogether(c, replicas, commands)
}

// localReplicas are the processes to run, the master first.
func localReplicas(c *cli.Context) ([]metadata.Replica, error) {
	counts := []struct {
		kind ml.ReplicaKind
		n    int
	}{{ml.ReplicaMaster, 1}}
	if c.Bool("distributed") {
		counts = append(counts, []struct {
			kind ml.ReplicaKind
			n    int
		}{
			{ml.ReplicaWorker, c.Int("worker-count")}, {ml.ReplicaParameterServer, c.Int("parameter-server-count")},
			{ml.ReplicaEvaluator, c.Int("evaluator-count")},
		}...)
	}
	var replicas []metadata.Replica
	port := c.Int("start-port")
	for _, k := range counts {
		if k.n < 0 || k.n > ml.MaxReplicas {
			return nil, misuse(c, "there cannot be %d replicas of one kind", k.n)
		}
		for i := range k.n {
			replicas = append(replicas, metadata.Replica{Replica: ml.Replica{Kind: k.kind, Index: i}, Port: port})
			port++
		}
	}
	if port > 65536 {
		return nil, misuse(c, "--start-port %d leaves too few ports", c.Int("start-port"))
	}
	return replicas, nil
}

func localMaster(c *cli.Context) string {
	var wanted *bool
	if c.IsSet("use-chief-in-tf-config") || !c.IsSet("runtime-version") {
		chief := c.Bool("use-chief-in-tf-config")
		wanted = &chief
	}
	return training.MasterName(c.String("runtime-version"), wanted)
}

// localPython finds the interpreter, and the environment to run it in.
func localPython(c *cli.Context) (string, []string, error) {
	environ := append(os.Environ(), "PYTHONUNBUFFERED=1")
	version := c.String("runtime-version")
	if version == "" {
		for _, name := range []string{"python", "python3"} {
			if path, err := exec.LookPath(name); err == nil {
				return path, environ, nil
			}
		}
		return "", nil, &ml.Error{Kind: ml.NotFound, Message: "there is no python on the PATH; activate an environment, or name a runtime with --runtime-version"}
	}
	daemon, err := connect(c)
	if err != nil {
		return "", nil, err
	}
	status, err := daemon.Status(c.Context)
	if err != nil {
		return "", nil, err
	}
	runtime, err := openRuntime(status.Data, version)
	if err != nil {
		return "", nil, err
	}
	for name, value := range runtime.Environment {
		environ = append(environ, name+"="+value)
	}
	return runtime.Interpreter(), environ, nil
}

// openRuntime finds a runtime in the data folder of a daemon of this machine.
func openRuntime(data, version string) (*runtimes.Runtime, error) {
	store, err := runtimes.Open(runtimes.Options{
		Dir: filepath.Join(data, "runtimes"), Environments: filepath.Join(data, "environments"), Default: version,
	})
	if err != nil {
		return nil, err
	}
	return store.Get(version)
}

// localFolder is where the trainer runs: above its package, where its module is
// found.
func localFolder(c *cli.Context) (string, error) {
	path := c.String("package-path")
	if path == "" {
		return os.Getwd()
	}
	if st, err := os.Stat(path); err != nil || !st.IsDir() {
		return "", misuse(c, "--package-path %s is not a folder", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find --package-path: %w", err)
	}
	return filepath.Dir(abs), nil
}
