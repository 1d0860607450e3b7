package scheduler

import (
	"slices"

	"hearth/ml"
	"hearth/storage/metadata"
)

// slots is what there is to lease and who holds it. The loop alone uses it.
type slots struct {
	total  ml.Resources
	gpus   []string
	ports  [2]int
	users  [2]uint32
	leases map[jobKey]metadata.Lease
	tenants
	// draining are devices that somebody may still use without a lease, unfit
	// those that cannot be leased, and why.
	devices  Devices
	draining map[string]bool
	unfit    map[string]string
}

func newSlots(o Options) *slots {
	s := &slots{
		total:   ml.Resources{CPUs: o.CPUs, Memory: o.Memory, GPUs: len(o.GPUs)},
		gpus:    o.GPUs,
		ports:   o.Ports,
		users:   o.Rules.Users,
		leases:  map[jobKey]metadata.Lease{},
		tenants: tenants{held: map[string][]string{}},
		devices: o.Devices, draining: map[string]bool{}, unfit: map[string]string{},
	}
	for _, uuid := range o.GPUs {
		s.draining[uuid] = true // what a daemon before has left
	}
	return s
}

// freeGPUs lists the devices that can be leased.
func (s *slots) freeGPUs() []string {
	var free []string
	for _, uuid := range s.gpus {
		if s.holder(uuid) == "" && s.unfit[uuid] == "" {
			free = append(free, uuid)
		}
	}
	return free
}

// free gives what is left. Processors and memory may be below zero after a
// restart with a smaller configuration.
func (s *slots) free() ml.Resources {
	free := s.total
	for _, l := range s.leases {
		free = free.Minus(l.Resources)
	}
	// By device: a lease may name one that is no longer there.
	free.GPUs = max(0, len(s.freeGPUs())-s.wanted())
	return free
}

// host gives what plan is to know.
func (s *slots) host() host {
	h := host{total: s.total, free: s.free()}
	for _, l := range s.leases {
		h.held = append(h.held, l.Resources)
	}
	return h
}

// offer gives the lease that a job would get; plan has made sure that it fits.
// An error means that there is no port to be had.
func (s *slots) offer(d demand) (metadata.Lease, error) {
	ports, err := s.freePorts(d.ports())
	return metadata.Lease{Resources: d.need, GPUs: slices.Clone(s.freeGPUs()[:d.need.GPUs]), Ports: ports, User: s.freeUser()}, err
}

// freeUser gives a user that no job runs as, 0 if there is none.
func (s *slots) freeUser() uint32 {
	taken := map[uint32]bool{0: true}
	for _, l := range s.leases {
		taken[l.User] = true
	}
	for user := s.users[0]; user <= s.users[1]; user++ {
		if !taken[user] {
			return user
		}
	}
	return 0
}

func (s *slots) hold(k jobKey, l metadata.Lease) { s.leases[k] = l }

func (s *slots) release(k jobKey) {
	for _, uuid := range s.leases[k].GPUs {
		s.draining[uuid] = true
	}
	delete(s.leases, k)
}
