package scheduler

import (
	"regexp"
	"strconv"

	"hearth/ml"
)

// machineGPUs are the devices that come with machine types of the service, for
// the types that say so only by their name.
var machineGPUs = map[string]int{
	"standard_gpu": 1, "complex_model_m_gpu": 4, "complex_model_l_gpu": 8,
	"standard_p100": 1, "complex_model_m_p100": 4,
	"standard_v100": 1, "large_model_v100": 1, "complex_model_m_v100": 4, "complex_model_l_v100": 8,
}

// acceleratorMachine matches types that carry their devices' number, such as
// a2-highgpu-4g.
var acceleratorMachine = regexp.MustCompile(`^a[0-9]-[a-z]+gpu-([0-9]+)g$`)

// request gives what a job leases. A machine type stands for its devices only:
// how many processors a job really uses is for its weight to say, not for a
// promise about other machines.
func request(in *ml.TrainingInput, memory int64) ml.Resources {
	r := ml.Resources{CPUs: 1, Memory: memory}
	switch in.ScaleTier {
	case ml.TierBasicGPU:
		r.GPUs = 1
	case ml.TierCustom:
		r.GPUs = machineGPUs[in.MasterType]
		if m := acceleratorMachine.FindStringSubmatch(in.MasterType); m != nil {
			r.GPUs, _ = strconv.Atoi(m[1])
		}
		if c := in.MasterConfig; c != nil && c.AcceleratorConfig != nil && c.AcceleratorConfig.Count > 0 {
			r.GPUs = int(c.AcceleratorConfig.Count)
		}
	}
	return r
}
