package appliance

import (
	"context"
	"os"
	"time"

	"hearth/ml"
	"hearth/scheduler"
	"hearth/scheduler/runtimes"
)

// status is the state of the whole installation, for /hearth/v1/status.
func (a *Appliance) status(ctx context.Context) (ml.Installation, error) {
	isolation := a.supervisor.Isolation()
	s := ml.Installation{
		Version: a.version, Project: Project, Endpoint: "http://" + a.door.Addr().String(), Data: a.config.Data,
		Ready: a.ready.Load(), PID: os.Getpid(), UptimeSeconds: int64(time.Since(a.began).Seconds()),
		Isolation: ml.Isolation{Level: isolation.Level, Detail: append(isolation.Detail, a.userDetail())},
		Devices:   []ml.Device{}, Queue: []ml.QueuedJob{}, Versions: []ml.ServedVersion{}, Runtimes: []string{},
	}
	a.addDevices(&s)
	s.Bucket = a.bucketStatus(ctx)
	a.addJobs(&s)
	if err := a.addVersions(&s); err != nil {
		return s, err
	}
	infos, err := a.runtimes.List()
	if err != nil {
		return s, err
	}
	for _, r := range infos {
		if r.State == runtimes.Ready {
			s.Runtimes = append(s.Runtimes, r.Name)
		}
	}
	total, free, err := diskSpace(a.config.Data)
	s.Disk = ml.Disk{Path: a.config.Data, TotalBytes: total, FreeBytes: free}
	return s, err
}

func (a *Appliance) addDevices(s *ml.Installation) {
	if a.gpuError != nil {
		s.GPUError = a.gpuError.Error()
	}
	if a.gpus == nil {
		return
	}
	held := map[string]scheduler.GPU{}
	for _, g := range a.scheduler.Snapshot().GPUs {
		held[g.UUID] = g
	}
	for _, d := range a.gpus.Devices() {
		device := ml.Device{
			UUID: d.UUID, Name: d.Name, MemoryBytes: d.MemoryBytes, Health: "OK", Index: d.Index, Parent: d.Parent,
			Holder: held[d.UUID].Holder, Unfit: held[d.UUID].Unfit,
		}
		if err := a.gpus.Health(d.UUID); err != nil {
			device.Health = err.Error()
		}
		if sample, err := a.gpus.Sample(d.UUID); err == nil {
			device.UsedBytes = sample.MemoryBytes
			if sample.Utilization >= 0 {
				device.Utilization = &sample.Utilization
			}
		}
		s.Devices = append(s.Devices, device)
	}
}

// maxShown bounds what status and queue tell of the jobs that wait: people read
// it.
const maxShown = 500

func (a *Appliance) addJobs(s *ml.Installation) {
	q := a.scheduler.Queue(maxShown, time.Now())
	s.Slots, s.Waiting = q.Slots, q.Waiting
	for _, j := range q.Running {
		s.Queue = append(s.Queue, ml.QueuedJob{Job: j.Job, State: j.State})
	}
	for _, j := range q.Jobs {
		s.Queue = append(s.Queue, ml.QueuedJob{Job: j.Job, State: ml.JobQueued, Position: int64(j.Position)})
	}
}

func (a *Appliance) addVersions(s *ml.Installation) error {
	versions, err := a.serving.Snapshot()
	for _, v := range versions {
		s.Versions = append(s.Versions, ml.ServedVersion{
			Model: v.Model, Version: v.Version, State: v.State, Default: v.Default, PID: v.PID, PIDs: v.PIDs,
			Restarts: v.Restarts, MemoryBytes: v.Memory, Message: v.Message, Lent: v.Lent, Session: v.Session,
		})
	}
	return err
}
