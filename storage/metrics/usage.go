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

// Read gives what one process has used, by the folder of the process. A process
// that has noted nothing yet has no samples.
func Read(folder string) (ml.ReplicaUsage, error) {
	u := ml.ReplicaUsage{Task: filepath.Base(folder), Seconds: []float64{}, CPU: []float64{}, Memory: []int64{}}
	b, err := os.ReadFile(filepath.Join(folder, ml.FileUsage))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return u, fmt.Errorf("read usage: %w", err)
	}
	var samples []ml.UsageSample
	for ; len(b) >= ml.UsageSampleSize; b = b[ml.UsageSampleSize:] {
		samples = append(samples, ml.ParseUsageSample(b))
	}
	if len(samples) == 0 {
		return u, nil
	}
	begin := began(folder, samples[0].Time)
	u.Start = ml.At(begin)
	last := ml.UsageSample{Time: begin}
	for _, s := range samples {
		// The clock may have been set back.
		span := max(s.Time.Sub(last.Time), time.Millisecond)
		u.Seconds = append(u.Seconds, s.Time.Sub(begin).Seconds())
		u.CPU = append(u.CPU, max(0, (s.CPU-last.CPU).Seconds()/span.Seconds()))
		u.Memory = append(u.Memory, s.Memory)
		if s.Disk >= 0 {
			u.Disk = append(u.Disk, s.Disk)
		}
		last = s
	}
	if err := addGPUs(&u, samples, folder); err != nil {
		return u, err
	}
	if len(u.Disk) != len(u.Seconds) {
		u.Disk = nil // measured later than the rest began
	}
	return u, nil
}

// began is when a process was started: its log files are made then.
func began(folder string, otherwise time.Time) time.Time {
	b := make([]byte, ml.LogMarkSize)
	f, err := os.Open(filepath.Join(folder, ml.FileLogIndex))
	if err != nil {
		return otherwise
	}
	defer f.Close()
	if _, err := f.Read(b); err != nil {
		return otherwise
	}
	if t := ml.ParseLogMark(b).Time; t.Before(otherwise) {
		return t
	}
	return otherwise
}
