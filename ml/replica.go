package ml

import "fmt"

// ReplicaKind is the part that a replica plays in a training job.
type ReplicaKind string

// The kinds, named as in the names of tasks. The first replica of a job is its
// master, whatever TF_CONFIG calls it.
const (
	ReplicaMaster          ReplicaKind = "master"
	ReplicaWorker          ReplicaKind = "worker"
	ReplicaParameterServer ReplicaKind = "ps"
	ReplicaEvaluator       ReplicaKind = "evaluator"
)

// Replica names one of a job's processes.
type Replica struct {
	Kind  ReplicaKind `json:"kind"`
	Index int         `json:"index"`
}

// Task is the replica's name in logs and of its process, as in
// "worker-replica-1".
func (r Replica) Task() string { return fmt.Sprintf("%s-replica-%d", r.Kind, r.Index) }

// String names the replica in sentences, as in "worker 1".
func (r Replica) String() string { return fmt.Sprintf("%s %d", r.Kind, r.Index) }

// ReplicaGroup is what a request says of all replicas of one kind.
type ReplicaGroup struct {
	Kind  ReplicaKind
	Count int
	// MachineType is empty where the scale tier decides.
	MachineType string
	Config      *ReplicaConfig
	// TypeField, CountField and ConfigField are the JSON paths to blame.
	TypeField, CountField, ConfigField string
}

// GPUs is the number of devices that the group asks for beside its machine
// type; ok is false if it names none.
func (g ReplicaGroup) GPUs() (n int, ok bool) {
	if g.Config == nil {
		return 0, false
	}
	n = g.Config.AcceleratorConfig.Devices()
	return n, n > 0
}

// Groups gives what the request says of its replicas, the master first. There
// is one group of each kind, also where Count is 0.
func (in *TrainingInput) Groups() []ReplicaGroup {
	group := func(kind ReplicaKind, field string, count Int64, machine string, c *ReplicaConfig) ReplicaGroup {
		const prefix = "trainingInput."
		return ReplicaGroup{
			Kind: kind, Count: int(count), MachineType: machine, Config: c,
			TypeField: prefix + field + "Type", CountField: prefix + field + "Count", ConfigField: prefix + field + "Config",
		}
	}
	return []ReplicaGroup{
		group(ReplicaMaster, "master", 1, in.MasterType, in.MasterConfig),
		group(ReplicaWorker, "worker", in.WorkerCount, in.WorkerType, in.WorkerConfig),
		group(ReplicaParameterServer, "parameterServer", in.ParameterServerCount, in.ParameterServerType, in.ParameterServerConfig),
		group(ReplicaEvaluator, "evaluator", in.EvaluatorCount, in.EvaluatorType, in.EvaluatorConfig),
	}
}
