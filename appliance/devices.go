package appliance

import "context"

// servingDevices leases GPUs to versions. The scheduler, whose slots they are,
// is made after the manager of the versions; nobody asks before both run.
type servingDevices struct{ a *Appliance }

// LeaseGPUs implements [serving.Devices].
func (d servingDevices) LeaseGPUs(ctx context.Context, version string, count int) ([]string, error) {
	return d.a.scheduler.LeaseGPUs(ctx, version, count)
}

// ReleaseGPUs implements [serving.Devices].
func (d servingDevices) ReleaseGPUs(version string) { d.a.scheduler.ReleaseGPUs(version) }
