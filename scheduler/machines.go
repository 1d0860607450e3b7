package scheduler

import (
	"regexp"
	"strconv"

	"hearth/ml"
)

// Machines says what replicas lease.
type Machines struct {
	// Small is what a replica leases whose machine the request leaves open.
	Small ml.Resources
	// Types are the machine types that mean something else here than on
	// Compute Engine, or that it does not know.
	Types map[string]ml.Resources
	// Tiers are the replicas beside the master of the scale tiers that have
	// some.
	Tiers map[string]Tier
}

// Tier is a scale tier of several replicas.
type Tier struct{ Workers, ParameterServers int }

// counts gives how many replicas of a kind there are on a tier.
func (t Tier) count(kind ml.ReplicaKind) int {
	switch kind {
	case ml.ReplicaMaster:
		return 1
	case ml.ReplicaWorker:
		return t.Workers
	case ml.ReplicaParameterServer:
		return t.ParameterServers
	}
	return 0
}

// PremiumWorkers is how many workers PREMIUM_1 has on a host unless the
// configuration says otherwise: one for every four processors, and two at least.
func PremiumWorkers(cpus int) int { return max(2, cpus/4) }

const gib = 1 << 30

// olderMachines are the machine types that the service had before it took those
// of Compute Engine, as its documentation described them.
var olderMachines = map[string]ml.Resources{
	"standard":             n1("standard", 4, 0),
	"large_model":          n1("highmem", 8, 0),
	"complex_model_s":      n1("highcpu", 8, 0),
	"complex_model_m":      n1("highcpu", 16, 0),
	"complex_model_l":      n1("highcpu", 32, 0),
	"standard_gpu":         n1("standard", 8, 1),
	"complex_model_m_gpu":  n1("standard", 16, 4),
	"complex_model_l_gpu":  n1("standard", 32, 8),
	"standard_p100":        n1("standard", 8, 1),
	"complex_model_m_p100": n1("standard", 16, 4),
	"standard_v100":        n1("standard", 8, 1),
	"large_model_v100":     n1("highmem", 8, 1),
	"complex_model_m_v100": n1("standard", 16, 4),
	"complex_model_l_v100": n1("standard", 32, 8),
}

// n1Memory is the memory of Compute Engine's first machines for each processor,
// in bytes.
var n1Memory = map[string]int64{"standard": gib * 15 / 4, "highmem": gib * 13 / 2, "highcpu": gib * 9 / 10}

func n1(class string, cpus, gpus int) ml.Resources {
	return ml.Resources{CPUs: cpus, Memory: int64(cpus) * n1Memory[class], GPUs: gpus}
}

var (
	// computeMachine matches types such as n1-standard-4 and e2-highmem-8.
	computeMachine = regexp.MustCompile(`^([a-z][0-9][a-z]?)-(standard|highmem|highcpu)-([0-9]{1,3})$`)
	// acceleratorMachine matches types that carry their devices' number, such
	// as a2-highgpu-4g.
	acceleratorMachine = regexp.MustCompile(`^a[0-9]-[a-z]+gpu-([0-9]{1,2})g$`)
)

// machine gives what a machine type stands for. One that nobody knows is a
// small one: its name promises hardware that is not here anyway.
func (m Machines) machine(name string) ml.Resources {
	if r, ok := m.Types[name]; ok {
		return r
	}
	if r, ok := olderMachines[name]; ok {
		return r
	}
	if f := acceleratorMachine.FindStringSubmatch(name); f != nil {
		gpus, _ := strconv.Atoi(f[1])
		return ml.Resources{CPUs: 12 * gpus, Memory: 85 * gib * int64(gpus), GPUs: gpus}
	}
	f := computeMachine.FindStringSubmatch(name)
	if f == nil {
		return m.Small
	}
	cpus, _ := strconv.Atoi(f[3])
	if f[1] == "n1" {
		return n1(f[2], cpus, 0)
	}
	perCPU := map[string]int64{"standard": 4 * gib, "highmem": 8 * gib, "highcpu": gib}
	return ml.Resources{CPUs: cpus, Memory: int64(cpus) * perCPU[f[2]]}
}
