package gpu

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
)

// board is a GPU of the mocks; parts are its MIG instances, nil if it is whole.
func board(uuid string, parts []*mock.Device) *mock.Device {
	d := &mock.Device{
		GetUUIDFunc:       func() (string, nvml.Return) { return uuid, nvml.SUCCESS },
		GetNameFunc:       func() (string, nvml.Return) { return "NVIDIA mock", nvml.SUCCESS },
		GetMemoryInfoFunc: func() (nvml.Memory, nvml.Return) { return nvml.Memory{Total: 40 << 30, Used: 1 << 30}, nvml.SUCCESS },
		GetMigModeFunc:    func() (int, int, nvml.Return) { return nvml.DEVICE_MIG_DISABLE, 0, nvml.SUCCESS },
		GetUtilizationRatesFunc: func() (nvml.Utilization, nvml.Return) {
			return nvml.Utilization{Gpu: 50}, nvml.SUCCESS
		},
		RegisterEventsFunc: func(uint64, nvml.EventSet) nvml.Return { return nvml.SUCCESS },
	}
	if parts != nil {
		d.GetMigModeFunc = func() (int, int, nvml.Return) { return nvml.DEVICE_MIG_ENABLE, 0, nvml.SUCCESS }
		d.GetMaxMigDeviceCountFunc = func() (int, nvml.Return) { return 7, nvml.SUCCESS }
		d.GetMigDeviceHandleByIndexFunc = func(i int) (nvml.Device, nvml.Return) {
			if i >= len(parts) {
				return nil, nvml.ERROR_NOT_FOUND
			}
			return parts[i], nvml.SUCCESS
		}
	}
	return d
}

func part(uuid string, gi, ci int) *mock.Device {
	d := board(uuid, nil)
	d.GetGpuInstanceIdFunc = func() (int, nvml.Return) { return gi, nvml.SUCCESS }
	d.GetComputeInstanceIdFunc = func() (int, nvml.Return) { return ci, nvml.SUCCESS }
	d.GetUtilizationRatesFunc = func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{}, nvml.ERROR_NOT_SUPPORTED }
	return d
}

// host is a driver with these boards, whose events come from the channel.
func host(t *testing.T, events chan nvml.EventData, boards ...*mock.Device) *Driver {
	t.Helper()
	all := map[string]*mock.Device{}
	for _, b := range boards {
		uuid, _ := b.GetUUID()
		all[uuid] = b
		if b.GetMigDeviceHandleByIndexFunc != nil {
			for i := range 7 {
				if m, ret := b.GetMigDeviceHandleByIndex(i); ret == nvml.SUCCESS {
					uuid, _ := m.GetUUID()
					all[uuid] = m.(*mock.Device)
				}
			}
		}
	}
	lib := &mock.Interface{
		InitFunc:                   func() nvml.Return { return nvml.SUCCESS },
		ShutdownFunc:               func() nvml.Return { return nvml.SUCCESS },
		DeviceGetCountFunc:         func() (int, nvml.Return) { return len(boards), nvml.SUCCESS },
		DeviceGetHandleByIndexFunc: func(i int) (nvml.Device, nvml.Return) { return boards[i], nvml.SUCCESS },
		DeviceGetHandleByUUIDFunc: func(uuid string) (nvml.Device, nvml.Return) {
			if d := all[uuid]; d != nil {
				return d, nvml.SUCCESS
			}
			return nil, nvml.ERROR_NOT_FOUND
		},
		EventSetCreateFunc: func() (nvml.EventSet, nvml.Return) {
			return &mock.EventSet{
				FreeFunc: func() nvml.Return { return nvml.SUCCESS },
				WaitFunc: func(uint32) (nvml.EventData, nvml.Return) {
					if e, ok := <-events; ok {
						return e, nvml.SUCCESS
					}
					return nvml.EventData{}, nvml.ERROR_UNKNOWN
				},
			}, nvml.SUCCESS
		},
	}
	d, err := detect(lib)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDetect_MIG(t *testing.T) {
	d := host(t, nil, board("GPU-0", nil), board("GPU-1", []*mock.Device{part("MIG-a", 1, 0), part("MIG-b", 2, 0)}))
	var got []string
	for _, dev := range d.Devices() {
		got = append(got, fmt.Sprint(dev.UUID, " ", dev.Parent, " ", dev.Index))
	}
	if want := "GPU-0  0,MIG-a GPU-1 1,MIG-b GPU-1 1"; strings.Join(got, ",") != want {
		t.Errorf("devices %q, want %s", got, want)
	}
	if s, err := d.Sample("MIG-a"); err != nil || s.Utilization != -1 || s.MemoryBytes != 1<<30 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := d.Sample("GPU-0"); err != nil || s.Utilization != 50 {
		t.Errorf("%+v, %v", s, err)
	}
	t.Run("no instances", func(t *testing.T) {
		b := board("GPU-0", []*mock.Device{})
		_, err := detect(&mock.Interface{
			InitFunc:                   func() nvml.Return { return nvml.SUCCESS },
			ShutdownFunc:               func() nvml.Return { return nvml.SUCCESS },
			DeviceGetCountFunc:         func() (int, nvml.Return) { return 1, nvml.SUCCESS },
			DeviceGetHandleByIndexFunc: func(int) (nvml.Device, nvml.Return) { return b, nvml.SUCCESS },
		})
		if err == nil || !strings.Contains(err.Error(), "have no instances") {
			t.Errorf("got %v", err)
		}
	})
}

func TestWatch(t *testing.T) {
	whole := board("GPU-0", nil)
	divided := board("GPU-1", []*mock.Device{part("MIG-a", 1, 0), part("MIG-b", 2, 0)})
	events := make(chan nvml.EventData, 8)
	xid := func(b *mock.Device, n uint64, gi, ci uint32) {
		events <- nvml.EventData{Device: b, EventType: nvml.EventTypeXidCriticalError, EventData: n, GpuInstanceId: gi, ComputeInstanceId: ci}
	}
	xid(whole, 31, noInstance, noInstance)
	xid(divided, 48, 2, 0)
	xid(whole, 119, noInstance, noInstance)
	close(events)
	d := host(t, events, whole, divided)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d.health.now = func() time.Time { return now }
	var got []string
	err := d.Watch(context.Background(), func(e Event) { got = append(got, fmt.Sprint(e.UUID, " ", e.XID, " ", e.Condemned)) })
	if err == nil {
		t.Error("the end of the events is no error")
	}
	if want := "GPU-0 31 false,MIG-b 48 true,GPU-0 119 true"; strings.Join(got, ",") != want {
		t.Errorf("events %q, want %s", got, want)
	}
	if err := d.Health("MIG-a"); err != nil {
		t.Errorf("the other instance: %v", err)
	}
	for uuid, want := range map[string]string{
		"MIG-b": "reported XID 48: memory error that could not be corrected; once it is well: hearth gpus clear MIG-b",
		"GPU-0": "reported XID 119: the device's system processor does not answer; it is tried again at 03:09:05",
	} {
		if err := d.Health(uuid); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", uuid, err, want)
		}
	}
	now = now.Add(reprobeAfter)
	if err := d.Health("GPU-0"); err != nil {
		t.Errorf("after its time: %v", err)
	}
	if err := d.Health("MIG-b"); err == nil {
		t.Error("a lasting fault was forgotten")
	}
	if err := d.Clear("MIG-b"); err != nil || d.Health("MIG-b") != nil {
		t.Errorf("after it was cleared: %v, %v", err, d.Health("MIG-b"))
	}
	if d.Clear("GPU-9") == nil {
		t.Error("an unknown device was cleared")
	}
}

// TestHost looks at the devices of this machine with the real library: make
// test-gpu.
func TestHost(t *testing.T) {
	d, err := Detect()
	if err != nil {
		t.Fatal(err)
	}
	if d == nil {
		t.Skip("this machine has no NVIDIA driver")
	}
	defer d.Close()
	for _, dev := range d.Devices() {
		s, sampleErr := d.Sample(dev.UUID)
		pids, pidsErr := d.Processes(dev.UUID)
		t.Logf("%+v: %+v, processes %v", dev, s, pids)
		if sampleErr != nil || pidsErr != nil || d.Health(dev.UUID) != nil {
			t.Errorf("%s: %v, %v, %v", dev.UUID, sampleErr, pidsErr, d.Health(dev.UUID))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := d.Watch(ctx, func(e Event) { t.Logf("%+v", e) }); err != nil {
		t.Errorf("watch: %v", err)
	}
}
