package scheduler

import (
	"fmt"

	"hearth/ml"
	"hearth/storage/metadata"
)

// demand is what a job asks for: all of it, or it does not start.
type demand struct {
	replicas []replicaDemand
	// need is what the job leases: what its replicas ask for, as far as the
	// host has it.
	need ml.Resources
	// clamped says for the job's log that it gets less than it asks for.
	clamped string
}

type replicaDemand struct {
	ml.Replica
	ml.Resources
}

// demand gives what a job asks for on a host. Processors and memory are cut to
// what the host has: a program needs more time with less, and a machine type
// speaks of another machine. Devices are not: without them it would be another
// program.
func (m Machines) demand(job *ml.Job, host ml.Resources) demand {
	if job.PredictionInput != nil {
		return m.predictionDemand(job.PredictionInput, host)
	}
	var d demand
	in := job.TrainingInput
	tier := m.Tiers[in.ScaleTier]
	for _, g := range in.Groups() {
		need := m.Small
		if in.ScaleTier == ml.TierBasicGPU {
			need.GPUs = 1
		}
		count := tier.count(g.Kind)
		if in.ScaleTier == ml.TierCustom {
			count, need = g.Count, m.machine(g.MachineType)
			if n, ok := g.GPUs(); ok {
				need.GPUs = n
			}
		}
		for i := range count {
			d.replicas = append(d.replicas, replicaDemand{ml.Replica{Kind: g.Kind, Index: i}, need})
			d.need = d.need.Plus(need)
		}
	}
	asked := d.need
	d.need.CPUs, d.need.Memory = min(asked.CPUs, host.CPUs), min(asked.Memory, host.Memory)
	if d.need != asked {
		d.clamped = fmt.Sprintf("The job asks for %s; it runs with the %s that this machine has.", asked, d.need)
	}
	return d
}

// ports is how many of the replicas are in a cluster and so need a port.
// A replica that is alone needs none, and an evaluator is not in the cluster.
func (d demand) ports() int {
	if len(d.replicas) == 1 {
		return 0
	}
	n := 0
	for _, r := range d.replicas {
		if r.Kind != ml.ReplicaEvaluator {
			n++
		}
	}
	return n
}

// place gives each replica its part of a lease.
func (d demand) place(gpus []string, ports []int) []metadata.Replica {
	placed := make([]metadata.Replica, len(d.replicas))
	for i, r := range d.replicas {
		placed[i] = metadata.Replica{Replica: r.Replica, GPUs: gpus[:r.GPUs:r.GPUs]}
		gpus = gpus[r.GPUs:]
		if r.Kind != ml.ReplicaEvaluator && len(ports) > 0 {
			placed[i].Port, ports = ports[0], ports[1:]
		}
	}
	return placed
}
