package appliance

import (
	"fmt"
	"runtime"

	"hearth/ml"
	"hearth/scheduler"
)

// MachineConfig is what a replica leases on a machine type.
type MachineConfig struct {
	CPUs   int  `toml:"cpus"`
	Memory Size `toml:"memory"`
	GPUs   int  `toml:"gpus"`
}

// TierConfig is the replicas beside the master of a scale tier.
type TierConfig struct {
	Workers          int `toml:"workers"`
	ParameterServers int `toml:"parameter_servers"`
}

// PortRange is the first and the last of some ports, written as "20000-20999".
type PortRange [2]int

// UnmarshalText reads a range.
func (r *PortRange) UnmarshalText(b []byte) error {
	n, err := fmt.Sscanf(string(b), "%d-%d", &r[0], &r[1])
	if n != 2 || err != nil || r[0] < 1 || r[1] > 65535 || r[0] > r[1] {
		return fmt.Errorf(`%q is not a range of ports such as "20000-20999"`, b)
	}
	return nil
}

// MarshalText writes the range.
func (r PortRange) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d-%d", r[0], r[1]), nil }

// What becomes of jobs that the host has failed, as by a restart.
const (
	hostFailureFail    = "fail"
	hostFailureRequeue = "requeue"
)

// checkTraining looks at what only makes sense together.
func (c *Config) checkTraining() error {
	if h := c.Scheduler.OnHostFailure; h != hostFailureFail && h != hostFailureRequeue {
		return fmt.Errorf("scheduler.on_host_failure is %q; it can be %q or %q", h, hostFailureFail, hostFailureRequeue)
	}
	for name, m := range c.MachineTypes {
		if m.CPUs < 1 || m.GPUs < 0 {
			return fmt.Errorf("machine_types.%s needs at least one processor, and no less than 0 GPUs", name)
		}
	}
	for name, t := range c.ScaleTiers {
		if name != ml.TierStandard1 && name != ml.TierPremium1 {
			return fmt.Errorf("scale_tiers has %s; it can have %s and %s", name, ml.TierStandard1, ml.TierPremium1)
		}
		if n := t.Workers + t.ParameterServers; t.Workers < 0 || t.ParameterServers < 0 || n >= ml.MaxReplicas {
			return fmt.Errorf("scale_tiers.%s has replicas below 0 or above %d", name, ml.MaxReplicas)
		}
	}
	return nil
}

// machines gives the scheduler what replicas lease.
func (c *Config) machines() scheduler.Machines {
	m := scheduler.Machines{
		Small: ml.Resources{CPUs: 1, Memory: int64(c.Scheduler.JobMemory)},
		Types: map[string]ml.Resources{}, Tiers: map[string]scheduler.Tier{},
	}
	for name, t := range c.MachineTypes {
		m.Types[name] = ml.Resources{CPUs: t.CPUs, Memory: int64(t.Memory), GPUs: t.GPUs}
	}
	for name, t := range c.ScaleTiers {
		if name == ml.TierPremium1 && t.Workers == 0 {
			t.Workers = scheduler.PremiumWorkers(runtime.NumCPU())
		}
		m.Tiers[name] = scheduler.Tier{Workers: t.Workers, ParameterServers: t.ParameterServers}
	}
	return m
}
