package tests

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A version on demand goes when nobody asks for it, and a connection that was kept
// meanwhile gets its next answer from the worker that then comes.
func TestOnDemand(t *testing.T) {
	d := newDaemon(t, "[predict]", `idle = "1s"`)
	d.must("storage", "buckets", "create", "gs://models")
	d.must("storage", "cp", "-r", filepath.Join(fromEnv(t, "HEARTH_TEST_MODELS"), "half_plus_two", "1")+"/", "gs://models/half/")
	d.must("models", "create", "half")
	d.must("versions", "create", "v1", "--model", "half", "--origin", "gs://models/half", "--min-nodes", "0")
	k := d.keep()
	for range 2 {
		pid := d.worker("half")
		k.expect(d.predicting("half", half), 200, "2.5")
		d.awaitEnd(pid)
		if text := d.must("versions", "describe", "v1", "--model", "half"); !strings.Contains(text, "message: The version is") || !strings.Contains(text, "state: READY") {
			t.Errorf("it is described as\n%s", text)
		}
		// A crowd that comes at once has one worker loaded, and is answered by it.
		var crowd sync.WaitGroup
		for range 8 {
			crowd.Go(func() { d.in(t).checkHalf("half") })
		}
		crowd.Wait()
	}
	status, answer := d.raw("GET", "/v1/models/half", "")
	if status != http.StatusOK || !strings.Contains(string(answer), "AVAILABLE") {
		t.Errorf("TensorFlow Serving's status: %d %s", status, answer)
	}
}

// Replicas share the requests of a version; where one dies, only those that it had are
// not answered.
func TestReplicas(t *testing.T) {
	d := newDaemon(t)
	d.must("storage", "buckets", "create", "gs://models")
	d.must("storage", "cp", "-r", filepath.Join(fromEnv(t, "HEARTH_TEST_MODELS"), "half_plus_two", "1")+"/", "gs://models/half/")
	d.must("models", "create", "half")
	if status, answer := d.call("POST", "/v1/projects/hearth/models/half/versions", `{"name":"v1","deploymentUri":"gs://models/half","manualScaling":{"nodes":2}}`); status != 200 {
		t.Fatalf("create: %d %v", status, answer)
	}
	workers := func() (pids []any) {
		_, status := d.call("GET", "/hearth/v1/status", "")
		if v, ok := status["versions"].([]any)[0].(map[string]any)["pids"].([]any); ok {
			return v
		}
		return nil
	}
	awaitWorkers := func() []any {
		t.Helper()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.After(patience); ; {
			if pids := workers(); len(pids) == 2 {
				return pids
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("the workers are %v", workers())
			}
		}
	}
	awaitWorkers()
	// Connections are shared out among them.
	all := make([]*kept, 8)
	for i := range all {
		all[i] = d.keep()
		all[i].expect(d.predicting("half", half), 200, "2.5")
	}
	_, metrics := d.raw("GET", "/metrics", "")
	for replica := range 2 {
		want := fmt.Sprintf(`hearth_predict_connections{model="half",project="hearth",replica="%d",version="v1"} 4`, replica)
		if !strings.Contains(string(metrics), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	pid := int(awaitWorkers()[0].(float64))
	check(t, syscall.Kill(pid, syscall.SIGKILL))
	d.awaitEnd(pid)
	for _, k := range all {
		k.expect(d.predicting("half", half), 200, "2.5")
	}
	awaitWorkers()
	d.must("versions", "delete", "v1", "--model", "half", "--quiet")
}
