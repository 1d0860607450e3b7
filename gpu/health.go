package gpu

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// reprobeAfter is how long a device must have been quiet after a fault before
// it is tried again: a transient fault must not cost a device for ever.
const reprobeAfter = 5 * time.Minute

// waitMillis is how long one wait for events takes at most.
const waitMillis = 1000

// fault is why a device is not used.
type fault struct {
	xid uint64
	at  time.Time
}

// health is what events have told of the devices.
type health struct {
	mu     sync.Mutex
	faults map[string]fault
	now    func() time.Time
}

// Event is an error that the driver has reported of a device.
type Event struct {
	UUID string
	XID  uint64
	Text string
	// Condemned is true if the device is not to be used any more, and not the
	// program at fault that used it.
	Condemned bool
}

// Watch reports the errors of all devices until ctx ends, and keeps account of
// those that condemn one. An error means that this driver has no such reports.
func (d *Driver) Watch(ctx context.Context, report func(Event)) error {
	if d == nil {
		return nil
	}
	set, ret := d.lib.EventSetCreate()
	if ret != nvml.SUCCESS {
		return fmt.Errorf("watch the GPUs: %w", ret)
	}
	defer set.Free()
	watched := 0
	for _, uuid := range d.boards() {
		h, err := d.handle(uuid)
		if err == nil && h.RegisterEvents(nvml.EventTypeXidCriticalError, set) == nvml.SUCCESS {
			watched++
		}
	}
	if watched == 0 {
		return fmt.Errorf("watch the GPUs: none of them reports errors")
	}
	for ctx.Err() == nil {
		data, ret := set.Wait(waitMillis)
		switch ret {
		case nvml.SUCCESS:
			for _, e := range d.note(data) {
				report(e)
			}
		case nvml.ERROR_TIMEOUT:
		default:
			return fmt.Errorf("wait for errors of the GPUs: %w", ret)
		}
	}
	return nil
}

// note takes an error in and says which devices it is about: one instance of a
// divided GPU, if the driver tells which, else all of them.
func (d *Driver) note(data nvml.EventData) []Event {
	if data.EventType != nvml.EventTypeXidCriticalError {
		return nil
	}
	board, ret := data.Device.GetUUID()
	if ret != nvml.SUCCESS {
		return nil
	}
	_, own := ownXIDs[data.EventData]
	var events []Event
	for _, dev := range d.devices {
		if !dev.concerns(board, data) {
			continue
		}
		if !own {
			d.health.condemn(dev.UUID, data.EventData)
		}
		events = append(events, Event{dev.UUID, data.EventData, xidText(data.EventData), !own})
	}
	return events
}

// noInstance is what the driver gives where an error is of no instance.
const noInstance = 0xFFFFFFFF

func (dev Device) concerns(board string, data nvml.EventData) bool {
	if dev.Parent == "" {
		return dev.UUID == board
	}
	return dev.Parent == board &&
		(data.GpuInstanceId == noInstance || int(data.GpuInstanceId) == dev.gpuInstance) &&
		(data.ComputeInstanceId == noInstance || int(data.ComputeInstanceId) == dev.computeInstance)
}

func (h *health) condemn(uuid string, xid uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.faults == nil {
		h.faults = map[string]fault{}
	}
	h.faults[uuid] = fault{xid, h.time()}
}

func (h *health) time() time.Time {
	if h.now != nil {
		return h.now()
	}
	return time.Now()
}

// state gives the fault that keeps a device from use; one that may be tried
// again is forgotten.
func (h *health) state(uuid string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.faults[uuid]
	if !ok {
		return nil
	}
	if !lasting[f.xid] && h.time().Sub(f.at) >= reprobeAfter {
		delete(h.faults, uuid)
		return nil
	}
	until := fmt.Sprintf("it is tried again at %s", f.at.Add(reprobeAfter).Format(time.TimeOnly))
	if lasting[f.xid] {
		until = "once it is well: hearth gpus clear " + uuid
	}
	return fmt.Errorf("GPU %s reported %s; %s", uuid, xidText(f.xid), until)
}

// Health says whether a device can be used: it answers, and no error of its own
// is known.
func (d *Driver) Health(uuid string) error {
	h, err := d.handle(uuid)
	if err != nil {
		return err
	}
	if _, ret := h.GetMemoryInfo(); ret != nvml.SUCCESS {
		return fmt.Errorf("GPU %s does not answer: %w", uuid, ret)
	}
	return d.health.state(uuid)
}

// Clear lets a device be used again that an error has condemned. An error means
// that there is none such, or that it does not answer.
func (d *Driver) Clear(uuid string) error {
	h, err := d.handle(uuid)
	if err != nil {
		return err
	}
	if _, ret := h.GetMemoryInfo(); ret != nvml.SUCCESS {
		return fmt.Errorf("GPU %s does not answer: %w", uuid, ret)
	}
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	delete(d.health.faults, uuid)
	return nil
}
