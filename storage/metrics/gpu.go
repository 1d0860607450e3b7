package metrics

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hearth/ml"
)

// Note appends what the devices of a process are at to its folder.
func Note(folder string, s ml.GPUSample) error {
	f, err := os.OpenFile(filepath.Join(folder, ml.FileGPUUsage), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("note the use of GPUs: %w", err)
	}
	_, err = f.Write(s.Append(nil))
	return errors.Join(err, f.Close())
}

// addGPUs puts the devices' samples beside the others: at each of their times
// the one before it. The daemon takes them, so that there are none of the time
// in which it was not there.
func addGPUs(u *ml.ReplicaUsage, samples []ml.UsageSample, folder string) error {
	b, err := os.ReadFile(filepath.Join(folder, ml.FileGPUUsage))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the use of GPUs: %w", err)
	}
	var last ml.GPUSample
	for _, s := range samples {
		for len(b) >= ml.GPUSampleSize && !ml.ParseGPUSample(b).Time.After(s.Time) {
			last, b = ml.ParseGPUSample(b), b[ml.GPUSampleSize:]
		}
		if s.Time.Sub(last.Time) > 10*time.Minute {
			last = ml.GPUSample{Time: last.Time}
		}
		u.GPUUtilization = append(u.GPUUtilization, max(0, last.Utilization))
		u.GPUMemory = append(u.GPUMemory, last.Memory)
	}
	return nil
}
