package serving_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"hearth/ml"
	"hearth/serving"
)

// oneGPU is a machine with a device: who has it, and who waits.
type oneGPU struct {
	mu     sync.Mutex
	holder string
	free   chan struct{} // replaced and closed when it becomes free
}

func (g *oneGPU) LeaseGPUs(ctx context.Context, version string, _ int) ([]string, error) {
	for {
		g.mu.Lock()
		if g.holder == "" || g.holder == version {
			g.holder = version
			g.mu.Unlock()
			return []string{"GPU-0"}, nil
		}
		free := g.free
		g.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (g *oneGPU) ReleaseGPUs(version string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holder == version {
		g.holder = ""
		close(g.free)
		g.free = make(chan struct{})
	}
}

// cudaRuntime is an installation whose TensorFlow finds the libraries of GPUs, or
// does not.
type cudaRuntime struct {
	oneRuntime
	err error
}

func (r cudaRuntime) Lookup(name string) (serving.Runtime, error) {
	found, err := r.oneRuntime.Lookup(name)
	found.CheckCUDA = func() error { return r.err }
	return found, err
}

// begin asks for a version with n devices.
func (r *running) begin(version, content string, n ml.Int64) (*ml.Operation, error) {
	r.h.t.Helper()
	r.h.put("half/"+version+"/saved_model.pb", content)
	if _, err := r.CreateModel(r.h.t.Context(), "hearth", &ml.Model{Name: "half"}); err != nil && ml.KindOf(err) != ml.AlreadyExists {
		r.h.t.Fatal(err)
	}
	return r.CreateVersion(r.h.t.Context(), "hearth", "half", &ml.Version{
		Name: version, DeploymentURI: "gs://models/half/" + version,
		AcceleratorConfig: &ml.AcceleratorConfig{Count: n, Type: "NVIDIA_TESLA_T4"},
	})
}

// devices gives what the version's worker sees.
func (r *running) devices(version string) string {
	r.h.t.Helper()
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", r.status("half", version).PID))
	if err != nil {
		r.h.t.Fatal(err)
	}
	for v := range strings.SplitSeq(string(environ), "\x00") {
		if devices, ok := strings.CutPrefix(v, "CUDA_VISIBLE_DEVICES="); ok {
			return devices
		}
	}
	return "all"
}

func TestManager_LeasesGPUs(t *testing.T) {
	h := newHouse(t)
	gpu := &oneGPU{free: make(chan struct{})}
	h.options.Devices, h.options.GPUs, h.options.Runtimes = gpu, 1, cudaRuntime{}
	r := h.start()
	if _, err := r.begin("v0", "half_plus_two", 2); ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), "this machine has 1") {
		t.Errorf("more than there are: %v", err)
	}
	first, err := r.begin("v1", "half_plus_two", 1)
	if err != nil {
		t.Fatal(err)
	}
	if first = h.finished(first); first.Error != nil || r.devices("v1") != "GPU-0" {
		t.Fatalf("v1: %+v, sees %q", first.Error, r.devices("v1"))
	}
	r.deploy("half", "cpu", "half_plus_two")
	if seen := r.devices("cpu"); seen != "" {
		t.Errorf("a version without devices sees %q", seen)
	}
	// The next daemon finds it with its device.
	r.stop()
	r = h.start()
	records, err := h.db.AllVersions()
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		if strings.HasSuffix(rec.Version.Name, "/v1") != (len(rec.Replicas[0].GPUs) == 1) {
			t.Errorf("%s has %v", rec.Version.Name, rec.Replicas[0].GPUs)
		}
	}
	// Another waits for the device, and has it once the first is gone.
	second, err := r.begin("v2", "two_plus_two", 1)
	if err != nil {
		t.Fatal(err)
	}
	h.until("v2 waits", func() bool { return strings.Contains(h.log.String(), "version waits for GPUs") })
	if _, err := r.SetDefault(t.Context(), "hearth", "half", "cpu"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.DeleteVersion(t.Context(), "hearth", "half", "v1"); err != nil {
		t.Fatal(err)
	}
	if second = h.finished(second); second.Error != nil || r.devices("v2") != "GPU-0" {
		t.Errorf("v2: %+v, sees %q", second.Error, r.devices("v2"))
	}
	// A version that FAILED holds nothing.
	if _, err := r.DeleteVersion(t.Context(), "hearth", "half", "v2"); err != nil {
		t.Fatal(err)
	}
	third, err := r.begin("v3", "broken", 1)
	if err != nil {
		t.Fatal(err)
	}
	if third = h.finished(third); third.Error == nil {
		t.Error("a broken model was loaded")
	}
	fourth, err := r.begin("v4", "half_plus_two", 1)
	if err != nil {
		t.Fatal(err)
	}
	if fourth = h.finished(fourth); fourth.Error != nil {
		t.Errorf("v4: %+v", fourth.Error)
	}
}

func TestManager_NoGPUs(t *testing.T) {
	h := newHouse(t)
	h.options.Devices, h.options.GPUs = &oneGPU{free: make(chan struct{})}, 1
	h.options.Runtimes = cudaRuntime{err: errors.New("runtime 2.21 has no CUDA libraries")}
	r := h.start()
	if _, err := r.begin("v1", "half_plus_two", 1); ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), "no CUDA libraries") {
		t.Errorf("a runtime without CUDA: %v", err)
	}
}

// A version on demand gives its device to another that needs it, and gets it back when
// it is asked for.
func TestManager_OnDemandGivesGPU(t *testing.T) {
	h := newHouse(t)
	gpu := &oneGPU{free: make(chan struct{})}
	h.options.Devices, h.options.GPUs, h.options.Runtimes = gpu, 1, cudaRuntime{}
	r := h.start()
	config := &ml.AcceleratorConfig{Count: 1, Type: "NVIDIA_TESLA_T4"}
	r.createScaled("first", "half_plus_two", &ml.Version{Name: "v1", AutoScaling: &ml.AutoScaling{}, AcceleratorConfig: config})
	r.createScaled("second", "half_plus_two", &ml.Version{Name: "v1", AutoScaling: &ml.AutoScaling{}, AcceleratorConfig: config})
	if s := r.status("first", "v1"); s.PID != 0 {
		t.Error("the first is still loaded")
	}
	r.wants("first", "v1", 1, 2.5)
	if s := r.status("second", "v1"); s.PID != 0 {
		t.Error("the second is still loaded")
	}
	records, err := h.db.AllVersions()
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		if (rec.Model == "first") != (len(rec.Replicas[0].GPUs) == 1) {
			t.Errorf("%s has %v", rec.Version.Name, rec.Replicas)
		}
	}
}
