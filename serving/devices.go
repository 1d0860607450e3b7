package serving

import (
	"context"
	"sync"
	"time"

	"hearth/ml"
	"hearth/ml/respawn"
)

// Devices leases GPUs, from the same slots that jobs have theirs from.
type Devices interface {
	// LeaseGPUs gives a replica, by name, the UUIDs of count devices, and waits
	// until so many are free. Those that it has it keeps if they are well.
	LeaseGPUs(ctx context.Context, replica string, count int) ([]string, error)
	// ReleaseGPUs gives back what the replica has, once its worker has ended.
	ReleaseGPUs(replica string)
}

// A version waits so long for devices that may be free before others that are not used
// make room, and so long before it is said that it waits.
const (
	givePatience  = 100 * time.Millisecond
	leasePatience = 2 * time.Second
)

// checkDevices refuses a version that could never have its devices, or whose
// TensorFlow would not use them: it would run on the processors, and nobody
// would know why it is slow.
func (m *Manager) checkDevices(v *ml.Version, runtime Runtime) error {
	count := v.AcceleratorConfig.Devices() * v.Replicas()
	if count > m.o.GPUs {
		return ml.FieldErrorf("acceleratorConfig.count", "The version's nodes ask for %d GPUs in all; this machine has %d.", count, m.o.GPUs)
	}
	if count == 0 {
		return nil
	}
	if err := runtime.CheckCUDA(); err != nil {
		return ml.FieldErrorf("acceleratorConfig", "The version asks for GPUs, and %v", err)
	}
	return nil
}

// lease gets the replica's devices, if it is to have any, for a worker that is
// about to start. They stay its own until it is unloaded or deleted or FAILED.
func (r *replica) lease(ctx context.Context) error {
	count := r.version.AcceleratorConfig.Devices()
	if count == 0 {
		return nil
	}
	leasing, cancel := context.WithCancel(ctx)
	var waiting sync.WaitGroup
	waiting.Go(func() { r.waitForDevices(leasing, count) })
	uuids, err := r.m.o.Devices.LeaseGPUs(ctx, r.tenant(), count)
	cancel()
	waiting.Wait()
	if err != nil {
		return err
	}
	if err := r.m.o.DB.SetVersionGPUs(r.key.project, r.key.model, r.key.version, r.index, uuids); err != nil {
		return err
	}
	r.gpus = uuids
	return nil
}

// waitForDevices has versions unloaded that hold devices and are not used, one after
// the other, and says that this one waits if it does so for long.
func (r *replica) waitForDevices(ctx context.Context, count int) {
	holds := func(p *pool) bool { return p.gpus && p != r.pool }
	for pause := givePatience; ; pause = leasePatience {
		if !respawn.Pause(ctx, pause) {
			return
		}
		if !r.m.unloadOldest(ctx, holds) {
			break
		}
	}
	if !respawn.Pause(ctx, leasePatience) {
		return
	}
	if !r.version.OnDemand() {
		r.pool.say("The version waits for GPUs, which jobs and other versions have.")
	}
	r.log.Info().Int("gpus", count).Msg("version waits for GPUs")
	r.settled()
}

// release gives the replica's devices back. Its worker has ended.
func (r *replica) release() error {
	if r.version.AcceleratorConfig.Devices() == 0 {
		return nil
	}
	err := r.m.o.DB.SetVersionGPUs(r.key.project, r.key.model, r.key.version, r.index, nil)
	if err != nil && ml.KindOf(err) != ml.NotFound {
		return err
	}
	r.gpus = nil
	r.m.o.Devices.ReleaseGPUs(r.tenant())
	return nil
}
