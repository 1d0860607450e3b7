package gpu

import (
	"errors"
	"slices"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
)

func TestDetect(t *testing.T) {
	t.Run("eight devices", func(t *testing.T) {
		d, err := detect(dgxa100.New())
		if err != nil {
			t.Fatal(err)
		}
		devices := d.Devices()
		if len(devices) != 8 {
			t.Fatalf("%d devices, want 8", len(devices))
		}
		seen := map[string]bool{}
		for _, dev := range devices {
			if dev.UUID == "" || seen[dev.UUID] || dev.Name == "" || dev.MemoryBytes <= 0 {
				t.Errorf("device %+v is not described, or twice there", dev)
			}
			seen[dev.UUID] = true
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("no library", func(t *testing.T) {
		lib := &mock.Interface{InitFunc: func() nvml.Return { return nvml.ERROR_LIBRARY_NOT_FOUND }}
		d, err := detect(lib)
		if d != nil || err != nil {
			t.Fatalf("got %v, %v; want nothing", d, err)
		}
		if d.Devices() != nil || d.Close() != nil || d.Health("x") == nil {
			t.Error("a host without devices is not usable as one")
		}
	})
	t.Run("library fails", func(t *testing.T) {
		lib := &mock.Interface{InitFunc: func() nvml.Return { return nvml.ERROR_LIB_RM_VERSION_MISMATCH }}
		if _, err := detect(lib); !errors.Is(err, nvml.ERROR_LIB_RM_VERSION_MISMATCH) {
			t.Fatalf("got %v, want the driver's error", err)
		}
	})
	t.Run("device fails", func(t *testing.T) {
		shut := false
		lib := &mock.Interface{
			InitFunc:                   func() nvml.Return { return nvml.SUCCESS },
			ShutdownFunc:               func() nvml.Return { shut = true; return nvml.SUCCESS },
			DeviceGetCountFunc:         func() (int, nvml.Return) { return 1, nvml.SUCCESS },
			DeviceGetHandleByIndexFunc: func(int) (nvml.Device, nvml.Return) { return nil, nvml.ERROR_GPU_IS_LOST },
		}
		if _, err := detect(lib); !errors.Is(err, nvml.ERROR_GPU_IS_LOST) || !shut {
			t.Fatalf("got %v, library given back: %v", err, shut)
		}
	})
	t.Run("this host", func(t *testing.T) {
		d, err := Detect()
		t.Logf("devices %v, error %v", d.Devices(), err)
		_ = d.Close()
	})
}

func TestDriver(t *testing.T) {
	device := &mock.Device{
		GetMemoryInfoFunc: func() (nvml.Memory, nvml.Return) { return nvml.Memory{}, nvml.ERROR_GPU_IS_LOST },
		GetComputeRunningProcessesFunc: func() ([]nvml.ProcessInfo, nvml.Return) {
			return []nvml.ProcessInfo{{Pid: 7}, {Pid: 9}}, nvml.SUCCESS
		},
		GetGraphicsRunningProcessesFunc: func() ([]nvml.ProcessInfo, nvml.Return) {
			return []nvml.ProcessInfo{{Pid: 9}, {Pid: 11}}, nvml.SUCCESS
		},
		GetMPSComputeRunningProcessesFunc: func() ([]nvml.ProcessInfo, nvml.Return) {
			return nil, nvml.ERROR_NOT_SUPPORTED
		},
	}
	d := &Driver{lib: &mock.Interface{
		DeviceGetHandleByUUIDFunc: func(uuid string) (nvml.Device, nvml.Return) {
			if uuid != "GPU-1" {
				return nil, nvml.ERROR_NOT_FOUND
			}
			return device, nvml.SUCCESS
		},
	}}
	t.Run("Health/lost", func(t *testing.T) {
		if err := d.Health("GPU-1"); !errors.Is(err, nvml.ERROR_GPU_IS_LOST) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Health/unknown device", func(t *testing.T) {
		if err := d.Health("GPU-2"); !errors.Is(err, nvml.ERROR_NOT_FOUND) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Processes", func(t *testing.T) {
		if pids, err := d.Processes("GPU-1"); err != nil || !slices.Equal(pids, []int{7, 9, 11}) {
			t.Errorf("got %v, %v", pids, err)
		}
	})
}
