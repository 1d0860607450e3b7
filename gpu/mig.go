package gpu

import (
	"errors"
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// instances lists the MIG instances of a GPU; divided is false if it is used as
// a whole.
func instances(h nvml.Device, board Device) (list []Device, divided bool, err error) {
	mode, _, ret := h.GetMigMode()
	if ret != nvml.SUCCESS || mode != nvml.DEVICE_MIG_ENABLE {
		return nil, false, nil // older GPUs cannot be divided
	}
	n, ret := h.GetMaxMigDeviceCount()
	if ret != nvml.SUCCESS {
		return nil, true, fmt.Errorf("count the MIG instances: %w", ret)
	}
	for i := range n {
		m, ret := h.GetMigDeviceHandleByIndex(i)
		if errors.Is(ret, nvml.ERROR_NOT_FOUND) || errors.Is(ret, nvml.ERROR_INVALID_ARGUMENT) {
			continue // there may be fewer than the most
		}
		if ret != nvml.SUCCESS {
			return nil, true, fmt.Errorf("open MIG instance %d: %w", i, ret)
		}
		dev, err := describe(m)
		if err != nil {
			return nil, true, fmt.Errorf("read MIG instance %d: %w", i, err)
		}
		dev.Parent, dev.Index = board.UUID, board.Index
		dev.gpuInstance, _ = m.GetGpuInstanceId()
		dev.computeInstance, _ = m.GetComputeInstanceId()
		list = append(list, dev)
	}
	return list, true, nil
}
