package gpu

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Sample is what a device is at.
type Sample struct {
	// MemoryBytes is the memory in use.
	MemoryBytes int64
	// Utilization is the part of the last moments in which it computed, in
	// percent; -1 where the driver does not tell, as of MIG instances.
	Utilization float64
}

// Sample asks what a device is at.
func (d *Driver) Sample(uuid string) (Sample, error) {
	h, err := d.handle(uuid)
	if err != nil {
		return Sample{}, err
	}
	memory, ret := h.GetMemoryInfo()
	if ret != nvml.SUCCESS {
		return Sample{}, fmt.Errorf("read the memory of GPU %s: %w", uuid, ret)
	}
	s := Sample{MemoryBytes: int64(memory.Used), Utilization: -1}
	if u, ret := h.GetUtilizationRates(); ret == nvml.SUCCESS {
		s.Utilization = float64(u.Gpu)
	}
	return s, nil
}
