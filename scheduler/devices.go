package scheduler

import (
	"fmt"
	"slices"
	"time"
)

// Devices is what the scheduler asks of the GPUs.
type Devices interface {
	// Health is nil if a device can be used, else it says why not.
	Health(uuid string) error
	// Processes gives the pids that use a device.
	Processes(uuid string) ([]int, error)
}

// settleEvery is how often a device is looked at that cannot be leased now.
const settleEvery = time.Second

// settle looks which devices can be leased: those that are well, and that nobody
// uses any more. A process may hold its device's memory for a while after it was
// killed, and the next job would run out of it. later is true if it is worth to
// look again.
func (s *slots) settle() (later bool) {
	if s.devices == nil {
		return false
	}
	for _, uuid := range s.gpus {
		s.unfit[uuid] = s.whyUnfit(uuid)
		if s.unfit[uuid] == "" {
			delete(s.unfit, uuid)
		}
	}
	return len(s.unfit) > 0
}

// whyUnfit says why a device cannot be leased, empty if it can or is.
func (s *slots) whyUnfit(uuid string) string {
	if err := s.devices.Health(uuid); err != nil {
		return err.Error()
	}
	if !s.draining[uuid] || s.holder(uuid) != "" {
		return ""
	}
	pids, err := s.devices.Processes(uuid)
	switch {
	case err != nil:
		return err.Error()
	case len(pids) > 0:
		return fmt.Sprintf("GPU %s is still used by processes %v", uuid, pids)
	}
	delete(s.draining, uuid)
	return ""
}

// holder gives the job or the version that leases a device, empty if none does.
func (s *slots) holder(uuid string) string {
	for k, l := range s.leases {
		if slices.Contains(l.GPUs, uuid) {
			return k.job
		}
	}
	for tenant, uuids := range s.tenants.held {
		if slices.Contains(uuids, uuid) {
			return tenant
		}
	}
	return ""
}

// DeviceChanged tells the scheduler that the health of a device may have.
func (s *Scheduler) DeviceChanged() { s.inbox.put(func(*loop) {}) }

// deviceFault says what is wrong with one of some devices, empty if nothing is.
func (s *Scheduler) deviceFault(uuids []string) string {
	if s.o.Devices == nil {
		return ""
	}
	for _, uuid := range uuids {
		if err := s.o.Devices.Health(uuid); err != nil {
			return err.Error()
		}
	}
	return ""
}

// GPU is a device in a snapshot.
type GPU struct {
	UUID string
	// Holder is the job, or the name of the version, that leases it, empty for
	// none; Unfit says why it cannot be leased, empty if it can.
	Holder, Unfit string
}

func (s *slots) describeGPUs() []GPU {
	var all []GPU
	for _, uuid := range s.gpus {
		all = append(all, GPU{UUID: uuid, Holder: s.holder(uuid), Unfit: s.unfit[uuid]})
	}
	return all
}
