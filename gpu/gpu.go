package gpu

import (
	"fmt"
	"slices"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Device is one GPU, or one of the instances that a GPU is divided into.
type Device struct {
	// UUID is what CUDA_VISIBLE_DEVICES takes.
	UUID string
	// Name is the product's, such as "NVIDIA A100-SXM4-40GB".
	Name string
	// MemoryBytes is all memory that it has.
	MemoryBytes int64
	// Index is the GPU's number in the driver's order, Parent the UUID of the
	// GPU that an instance is a part of, empty for a whole one.
	Index  int
	Parent string

	gpuInstance, computeInstance int
}

// Driver is the driver's library with the devices that it showed when it was
// opened. A nil Driver has none. Its methods may be called from several
// goroutines.
type Driver struct {
	lib     nvml.Interface
	devices []Device
	health  health
}

// Detect opens the driver's library and lists the devices. Both results are
// nil on a host without the library. An error says that the driver is there
// and does not work.
func Detect() (*Driver, error) { return detect(nvml.New()) }

func detect(lib nvml.Interface) (*Driver, error) {
	switch ret := lib.Init(); ret {
	case nvml.SUCCESS:
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return nil, nil
	default:
		return nil, fmt.Errorf("start NVIDIA's management library: %w", ret)
	}
	d := &Driver{lib: lib}
	if err := d.list(); err != nil {
		lib.Shutdown()
		return nil, err
	}
	return d, nil
}

func (d *Driver) list() error {
	count, ret := d.lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return fmt.Errorf("count the GPUs: %w", ret)
	}
	for i := range count {
		h, ret := d.lib.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			return fmt.Errorf("open GPU %d: %w", i, ret)
		}
		device, err := describe(h)
		if err != nil {
			return fmt.Errorf("read GPU %d: %w", i, err)
		}
		device.Index = i
		parts, divided, err := instances(h, device)
		if err != nil {
			return fmt.Errorf("read GPU %d: %w", i, err)
		}
		if !divided {
			parts = []Device{device}
		}
		d.devices = append(d.devices, parts...)
	}
	if count > 0 && len(d.devices) == 0 {
		return fmt.Errorf("%d GPUs are in MIG mode and have no instances: make some, as with nvidia-smi mig -cgi, or leave MIG mode", count)
	}
	return nil
}

// boards lists the UUIDs of the GPUs, whole ones and those that instances are
// of.
func (d *Driver) boards() []string {
	var uuids []string
	for _, dev := range d.devices {
		uuid := dev.UUID
		if dev.Parent != "" {
			uuid = dev.Parent
		}
		if !slices.Contains(uuids, uuid) {
			uuids = append(uuids, uuid)
		}
	}
	return uuids
}

func describe(h nvml.Device) (Device, error) {
	uuid, ret := h.GetUUID()
	if ret != nvml.SUCCESS {
		return Device{}, ret
	}
	name, ret := h.GetName()
	if ret != nvml.SUCCESS {
		return Device{}, ret
	}
	memory, ret := h.GetMemoryInfo()
	if ret != nvml.SUCCESS {
		return Device{}, ret
	}
	return Device{UUID: uuid, Name: name, MemoryBytes: int64(memory.Total)}, nil
}

// Devices lists the devices in the driver's order.
func (d *Driver) Devices() []Device {
	if d == nil {
		return nil
	}
	return slices.Clone(d.devices)
}

// Processes gives the pids of the processes that use a device.
func (d *Driver) Processes(uuid string) ([]int, error) {
	h, err := d.handle(uuid)
	if err != nil {
		return nil, err
	}
	var pids []int
	for i, list := range []func() ([]nvml.ProcessInfo, nvml.Return){
		h.GetComputeRunningProcesses, h.GetGraphicsRunningProcesses, h.GetMPSComputeRunningProcesses,
	} {
		infos, ret := list()
		if i > 0 && ret != nvml.SUCCESS {
			continue // not every device has these
		}
		if ret != nvml.SUCCESS {
			return nil, fmt.Errorf("list the processes of GPU %s: %w", uuid, ret)
		}
		for _, p := range infos {
			if pid := int(p.Pid); !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}

func (d *Driver) handle(uuid string) (nvml.Device, error) {
	if d == nil {
		return nil, fmt.Errorf("there is no GPU %s", uuid)
	}
	h, ret := d.lib.DeviceGetHandleByUUID(uuid)
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("open GPU %s: %w", uuid, ret)
	}
	return h, nil
}

// Close gives the library back.
func (d *Driver) Close() error {
	if d == nil {
		return nil
	}
	if ret := d.lib.Shutdown(); ret != nvml.SUCCESS {
		return fmt.Errorf("shut down NVIDIA's management library: %w", ret)
	}
	return nil
}
