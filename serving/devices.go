package serving

import (
	"context"
	"time"

	"hearth/ml"
)

// Devices leases GPUs, from the same slots that jobs have theirs from.
type Devices interface {
	// LeaseGPUs gives a version, by name, the UUIDs of count devices, and waits
	// until so many are free. Those that it has it keeps if they are well.
	LeaseGPUs(ctx context.Context, version string, count int) ([]string, error)
	// ReleaseGPUs gives back what the version has, once its worker has ended.
	ReleaseGPUs(version string)
}

// leasePatience is how long a version may wait for devices before it is said
// that it does.
const leasePatience = 2 * time.Second

// checkDevices refuses a version that could never have its devices, or whose
// TensorFlow would not use them: it would run on the processors, and nobody
// would know why it is slow.
func (m *Manager) checkDevices(v *ml.Version, runtime Runtime) error {
	count := v.AcceleratorConfig.Devices()
	if count > m.o.GPUs {
		return ml.FieldErrorf("acceleratorConfig.count", "The version asks for %d GPUs; this machine has %d.", count, m.o.GPUs)
	}
	if count == 0 {
		return nil
	}
	if err := runtime.CheckCUDA(); err != nil {
		return ml.FieldErrorf("acceleratorConfig", "The version asks for GPUs, and %v", err)
	}
	return nil
}

// lease gets the version's devices, if it is to have any, for a worker that is
// about to start. They stay its own until it is deleted or FAILED.
func (k *keeper) lease(ctx context.Context) error {
	count := k.version.AcceleratorConfig.Devices()
	if count == 0 {
		return nil
	}
	waits := time.AfterFunc(leasePatience, func() {
		k.pool.down("The version waits for GPUs, which jobs and other versions have.")
		k.log.Info().Int("gpus", count).Msg("version waits for GPUs")
		k.settled()
	})
	defer waits.Stop()
	uuids, err := k.m.o.Devices.LeaseGPUs(ctx, k.key.String(), count)
	if err != nil {
		return err
	}
	if err := k.m.o.DB.SetVersionGPUs(k.key.project, k.key.model, k.key.version, uuids); err != nil {
		return err
	}
	k.gpus = uuids
	return nil
}

// release gives the version's devices back. Its worker has ended.
func (k *keeper) release() error {
	if k.version.AcceleratorConfig.Devices() == 0 {
		return nil
	}
	err := k.m.o.DB.SetVersionGPUs(k.key.project, k.key.model, k.key.version, nil)
	if err != nil && ml.KindOf(err) != ml.NotFound {
		return err
	}
	k.m.o.Devices.ReleaseGPUs(k.key.String())
	return nil
}
