package scheduler

import (
	"context"
	"fmt"
	"slices"

	"hearth/ml"
)

// tenants are who leases devices beside the jobs: replicas of versions, by name.
// The serving side keeps their leases durably; here they are known again before
// anything starts.
type tenants struct {
	held  map[string][]string
	wants []*want // in order; they come before every job
}

// want is a tenant that waits for devices.
type want struct {
	tenant string
	count  int
	given  chan []string
}

// LeaseGPUs gives a replica of a version the UUIDs of count devices from the slots
// of the jobs. It waits until so many are free, and no job gets one meanwhile;
// jobs that run go on. Devices that the replica holds already it gets again if
// all of them are well, and others for them if not.
func (s *Scheduler) LeaseGPUs(ctx context.Context, version string, count int) ([]string, error) {
	w := s.askGPUs(version, count)
	select {
	case uuids := <-w.given:
		return uuids, nil
	case <-ctx.Done():
		// Given in this very moment, they stay the version's: it asks again or
		// is released.
		s.inbox.put(func(l *loop) {
			l.slots.wants = slices.DeleteFunc(l.slots.wants, func(other *want) bool { return other == w })
		})
		return nil, ctx.Err()
	}
}

func (s *Scheduler) askGPUs(version string, count int) *want {
	w := &want{version, count, make(chan []string, 1)}
	s.inbox.put(func(l *loop) { l.slots.wants = append(l.slots.wants, w) })
	return w
}

// ReleaseGPUs gives back what a replica holds, once its worker has ended.
func (s *Scheduler) ReleaseGPUs(version string) {
	s.inbox.put(func(l *loop) { l.slots.evict(version) })
}

// recoverTenants gives the versions the devices that they held before.
func (l *loop) recoverTenants() error {
	records, err := l.o.DB.AllVersions()
	if err != nil {
		return fmt.Errorf("read the devices of versions: %w", err)
	}
	for _, r := range records {
		for i, replica := range r.Replicas {
			if len(replica.GPUs) > 0 {
				l.slots.tenants.held[ml.ReplicaName(r.Version.Name, i)] = replica.GPUs
			}
		}
	}
	return nil
}

// grant gives devices to the tenants that wait, in order.
func (s *slots) grant() {
	for len(s.wants) > 0 {
		w := s.wants[0]
		if !s.keeps(w) {
			s.evict(w.tenant)
			free := s.freeGPUs()
			if len(free) < w.count {
				return
			}
			s.tenants.held[w.tenant] = slices.Clone(free[:w.count])
		}
		w.given <- slices.Clone(s.tenants.held[w.tenant])
		s.wants = s.wants[1:]
	}
}

// keeps reports whether a tenant can go on with the devices that it has.
func (s *slots) keeps(w *want) bool {
	has := s.tenants.held[w.tenant]
	return len(has) == w.count && !slices.ContainsFunc(has, func(uuid string) bool {
		return s.unfit[uuid] != "" || !slices.Contains(s.gpus, uuid)
	})
}

// evict takes a tenant's devices away. They are leased again when nobody uses
// them any more.
func (s *slots) evict(tenant string) {
	for _, uuid := range s.tenants.held[tenant] {
		s.draining[uuid] = true
	}
	delete(s.tenants.held, tenant)
}

// wanted is how many devices are kept for tenants that wait.
func (t *tenants) wanted() (n int) {
	for _, w := range t.wants {
		n += w.count
	}
	return n
}
