package cli

import (
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/ml"
)

// replicaFlags are the flags about one kind of replica. The fields of a job that
// they set come from of.
type replicaFlags struct {
	name, plural string
	of           func(*ml.TrainingInput) (machine *string, count *ml.Int64, config **ml.ReplicaConfig)
}

// replicaKinds are in the order of the help; only the master has no count.
var replicaKinds = []replicaFlags{
	{"master", "the master", func(in *ml.TrainingInput) (*string, *ml.Int64, **ml.ReplicaConfig) {
		return &in.MasterType, nil, &in.MasterConfig
	}},
	{"worker", "the workers", func(in *ml.TrainingInput) (*string, *ml.Int64, **ml.ReplicaConfig) {
		return &in.WorkerType, &in.WorkerCount, &in.WorkerConfig
	}},
	{"parameter-server", "the parameter servers", func(in *ml.TrainingInput) (*string, *ml.Int64, **ml.ReplicaConfig) {
		return &in.ParameterServerType, &in.ParameterServerCount, &in.ParameterServerConfig
	}},
	{"evaluator", "the evaluator", func(in *ml.TrainingInput) (*string, *ml.Int64, **ml.ReplicaConfig) {
		return &in.EvaluatorType, &in.EvaluatorCount, &in.EvaluatorConfig
	}},
}

func allReplicaFlags() []cli.Flag {
	var flags []cli.Flag
	for _, k := range replicaKinds {
		if k.name != "master" {
			flags = append(flags, &cli.IntFlag{Name: k.name + "-count", Usage: "how many there are of " + k.plural + ", for --scale-tier custom"})
		}
		flags = append(flags,
			&cli.StringFlag{Name: k.name + "-machine-type", Usage: "machine `TYPE` of " + k.plural + ", for --scale-tier custom"},
			&cli.StringFlag{Name: k.name + "-accelerator", Usage: "GPUs of " + k.plural + ", each: `count=N,type=TYPE`"})
	}
	return flags
}

// setReplicas puts what the flags say of replicas into a job.
func setReplicas(c *cli.Context, in *ml.TrainingInput) error {
	for _, k := range replicaKinds {
		machine, count, config := k.of(in)
		setIf(c, k.name+"-machine-type", machine)
		if count != nil && c.IsSet(k.name+"-count") {
			*count = ml.Int64(c.Int(k.name + "-count"))
		}
		flag := k.name + "-accelerator"
		if !c.IsSet(flag) {
			continue
		}
		accelerator, err := accelerator(c, flag)
		if err != nil {
			return err
		}
		if *config == nil {
			*config = &ml.ReplicaConfig{}
		}
		(*config).AcceleratorConfig = accelerator
	}
	return nil
}

// accelerator reads count=N,type=TYPE, in any order; either may be missing.
func accelerator(c *cli.Context, flag string) (*ml.AcceleratorConfig, error) {
	out := &ml.AcceleratorConfig{Count: 1, Type: "NVIDIA_TESLA_T4"}
	for part := range strings.SplitSeq(c.String(flag), ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "count":
			if err := out.Count.UnmarshalJSON([]byte(value)); err != nil {
				return nil, misuse(c, "--%s: the count %v", flag, err)
			}
		case "type":
			out.Type = strings.ToUpper(strings.ReplaceAll(value, "-", "_"))
		default:
			return nil, misuse(c, "--%s %s: write count=N,type=TYPE", flag, c.String(flag))
		}
	}
	return out, nil
}

// setScheduling puts what the flags say of time and place in the queue into a
// job.
func setScheduling(c *cli.Context, in *ml.TrainingInput) {
	if !c.IsSet("priority") && !c.IsSet("max-wait-time") && !c.IsSet("max-running-time") {
		return
	}
	if in.Scheduling == nil {
		in.Scheduling = &ml.Scheduling{}
	}
	if c.IsSet("priority") {
		in.Scheduling.Priority = int32(c.Int("priority"))
	}
	if c.IsSet("max-wait-time") {
		in.Scheduling.MaxWaitTime = ml.Duration(c.Duration("max-wait-time"))
	}
	if c.IsSet("max-running-time") {
		in.Scheduling.MaxRunningTime = ml.Duration(c.Duration("max-running-time"))
	}
}
