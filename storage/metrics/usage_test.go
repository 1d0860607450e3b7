package metrics

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

func TestRead(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "worker-replica-1")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	empty := ml.ReplicaUsage{Task: "worker-replica-1", Seconds: []float64{}, CPU: []float64{}, Memory: []int64{}}
	if u, err := Read(folder); err != nil || cmp.Diff(u, empty) != "" {
		t.Errorf("without samples: %+v, %v", u, err)
	}
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var b []byte
	for _, s := range []ml.UsageSample{
		{Time: t0.Add(time.Second), CPU: time.Second, Memory: 10, Disk: 5},
		{Time: t0.Add(3 * time.Second), CPU: 4 * time.Second, Memory: 20, Disk: 6},
	} {
		b = s.Append(b)
	}
	b = append(b, 1, 2, 3) // torn
	for name, content := range map[string][]byte{ml.FileUsage: b, ml.FileLogIndex: ml.LogMark{Time: t0}.Append(nil)} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []ml.GPUSample{
		{Time: t0.Add(500 * time.Millisecond), Utilization: 12.5, Memory: 7}, {Time: t0.Add(2 * time.Second), Utilization: -1, Memory: 8}, {Time: t0.Add(9 * time.Second)},
	} {
		if err := Note(folder, s); err != nil {
			t.Fatal(err)
		}
	}
	want := ml.ReplicaUsage{
		Task: "worker-replica-1", Start: ml.At(t0), Seconds: []float64{1, 3}, CPU: []float64{1, 1.5},
		Memory: []int64{10, 20}, Disk: []int64{5, 6},
		GPUUtilization: []float64{12.5, 0}, GPUMemory: []int64{7, 8},
	}
	got, err := Read(folder)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
