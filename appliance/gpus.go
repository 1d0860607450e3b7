package appliance

import (
	"context"
	"time"

	"hearth/gpu"
	"hearth/ml"
	"hearth/storage/metrics"
)

// watchGPUs notes the errors that the driver reports of the devices. Where it
// reports none, a device's health is whether it answers.
func (a *Appliance) watchGPUs(ctx context.Context) error {
	err := a.gpus.Watch(ctx, func(e gpu.Event) {
		a.log.Warn().Str("gpu", e.UUID).Uint64("xid", e.XID).Bool("condemned", e.Condemned).Msg(e.Text)
		a.scheduler.DeviceChanged()
	})
	if err != nil {
		a.log.Warn().Err(err).Msg("errors of GPUs are not watched for")
	}
	return nil
}

// sampleGPUs notes each second what the devices of running jobs are at.
func (a *Appliance) sampleGPUs(ctx context.Context) error {
	if a.gpus == nil {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, r := range a.scheduler.Snapshot().Running {
			for _, replica := range r.Replicas {
				if len(replica.GPUs) == 0 || r.Started.IsZero() {
					continue
				}
				if err := metrics.Note(a.supervisor.Folder(r.Attempt+"/"+replica.Task()), a.sampleOf(replica.GPUs)); err != nil {
					a.log.Debug().Err(err).Str("attempt", r.Attempt).Msg("use of GPUs was not noted")
				}
			}
		}
	}
}

// sampleOf is what some devices are at together.
func (a *Appliance) sampleOf(uuids []string) ml.GPUSample {
	s := ml.GPUSample{Time: time.Now()}
	for _, uuid := range uuids {
		one, err := a.gpus.Sample(uuid)
		if err != nil || one.Utilization < 0 {
			s.Utilization = -1
		}
		s.Memory += one.MemoryBytes
		if s.Utilization >= 0 {
			s.Utilization += one.Utilization / float64(len(uuids))
		}
	}
	return s
}

// clearGPU lets a device be used again that an error has condemned.
func (a *Appliance) clearGPU(uuid string) error {
	if err := a.gpus.Clear(uuid); err != nil {
		return ml.Errorf(ml.NotFound, "%s.", err)
	}
	a.log.Info().Str("gpu", uuid).Msg("cleared")
	a.scheduler.DeviceChanged()
	return nil
}
