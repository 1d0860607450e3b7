package tests

import (
	"fmt"
	"net/http"
	"os"
	"reflect"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const sigterm = syscall.SIGTERM

// workers gives the pids of the model workers, as status tells them.
func (d *daemon) workers() []int {
	d.t.Helper()
	_, status := d.call("GET", "/hearth/v1/status", "")
	var pids []int
	for _, v := range status["versions"].([]any) {
		pids = append(pids, int(v.(map[string]any)["pid"].(float64)))
	}
	sort.Ints(pids)
	return pids
}

func (d *daemon) worker(model string) int { return d.workerOf(model, "v1") }

func (d *daemon) workerOf(model, version string) int {
	d.t.Helper()
	_, status := d.call("GET", "/hearth/v1/status", "")
	for _, v := range status["versions"].([]any) {
		if v := v.(map[string]any); v["model"] == model && v["version"] == version {
			return int(v["pid"].(float64))
		}
	}
	d.t.Fatalf("no version %s of %s in status %v", version, model, status)
	return 0
}

func (d *daemon) checkHalf(model string) {
	d.t.Helper()
	status, got := d.call("POST", "/v1/projects/hearth/models/"+model+":predict", `{"instances":[1.0,5]}`)
	want := map[string]any{"predictions": []any{map[string]any{"y": 2.5}, map[string]any{"y": 4.5}}}
	if status != 200 || !reflect.DeepEqual(got, want) {
		d.t.Errorf("predict: %d %v, want %v", status, got, want)
	}
}

func TestServing_KilledWorkerDisturbsNoOther(t *testing.T) {
	d := newDaemon(t)
	d.model("victim", "half_plus_two")
	d.model("other", "half_plus_two")
	pid := d.worker("victim")

	stop := make(chan struct{})
	var wg sync.WaitGroup
	other, victim := &tally{}, &tally{}
	for range 4 {
		wg.Add(2)
		go func() { defer wg.Done(); other.load(d, "other", stop) }()
		go func() { defer wg.Done(); victim.load(d, "victim", stop) }()
	}
	victim.await(t, 200, 100)
	check(t, syscall.Kill(pid, syscall.SIGKILL))
	victim.await(t, 503, 1)
	back := victim.count(200) + 100
	victim.await(t, 200, back)
	close(stop)
	wg.Wait()

	if bad := other.others(200); len(bad) > 0 {
		t.Errorf("the other version answered %v", bad)
	}
	if bad := victim.others(200, 503); len(bad) > 0 {
		t.Errorf("the killed version answered %v", bad)
	}
	if victim.slowestFailure > 2*time.Second {
		t.Errorf("a request failed only after %s", victim.slowestFailure)
	}
	if now := d.worker("victim"); now == pid || now == 0 {
		t.Errorf("the worker's pid is %d, before it was %d", now, pid)
	}
}

// tally counts answers by status and lets a test wait for them.
type tally struct {
	mu             sync.Mutex
	counts         map[int]int
	changed        chan struct{}
	slowestFailure time.Duration
}

func (c *tally) load(d *daemon, model string, stop chan struct{}) {
	client := &http.Client{}
	for {
		select {
		case <-stop:
			return
		default:
		}
		req, _ := http.NewRequest("POST", "http://"+d.addr+"/v1/projects/hearth/models/"+model+":predict", strings.NewReader(`{"instances":[1]}`))
		req.Header.Set("Authorization", "Bearer "+d.token)
		began := time.Now()
		status := 0
		if res, err := client.Do(req); err == nil {
			status = res.StatusCode
			res.Body.Close()
		}
		c.add(status, time.Since(began))
	}
}

func (c *tally) add(status int, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[int]int{}
	}
	c.counts[status]++
	if status != 200 && took > c.slowestFailure {
		c.slowestFailure = took
	}
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

func (c *tally) count(status int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[status]
}

func (c *tally) others(fine ...int) map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	bad := map[int]int{}
	for status, n := range c.counts {
		bad[status] = n
	}
	for _, f := range fine {
		delete(bad, f)
	}
	return bad
}

// await blocks until at least n answers had the status.
func (c *tally) await(t *testing.T, status, n int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		have := c.counts[status]
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%d answers of status %d, want %d", have, status, n)
		}
	}
}

// TensorFlow Serving's clients see the same model under its paths and in its words.
func TestServing_TensorFlowServingREST(t *testing.T) {
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", ":predict", `{"instances": [1.0, 5]}`, 200, `{"predictions": [2.5, 4.5]}`},
		{"POST", "/versions/1:predict", `{"inputs": {"x": [1.0]}, "signature_name": "serving_default"}`, 200, `{"outputs": [2.5]}`},
		{"POST", ":predict", `{"instances": ["one"]}`, 400, `{"error":"instance 0: input x: expected a number for DT_FLOAT, found a string at byte 15"}`},
		{"POST", "/versions/9:predict", `{"instances": [1]}`, 404, `{"error":`},
		{"GET", "", "", 200, `{"model_version_status":[{"version":"1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}]}`},
		{"GET", "/metadata", "", 200, `"inputs":{"x":{"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"-1","name":""}`},
	} {
		status, got := d.raw(test.method, "/v1/models/half"+test.path, test.body)
		if status != test.status || !strings.Contains(string(got), test.want) {
			t.Errorf("%s %s: %d %s\nwant %d %s", test.method, test.path, status, got, test.status, test.want)
		}
	}
}

// A worker has no privileges, and what it is not handed it cannot reach.
func TestServing_WorkerIsConfined(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: there are no privileges to give up")
	}
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	d.checkHalf("half")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.worker("half")))
	check(t, err)
	for _, want := range []string{"NoNewPrivs:\t1\n", "CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("without %q: %s", want, status)
		}
	}
}

// What a version does is on /metrics, whichever way its requests come.
func TestServing_Metrics(t *testing.T) {
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	k := d.keep()
	for range 3 {
		k.expect(d.predicting("half", half), 200, "2.5")
	}
	d.keep().expect(d.predicting("half", half, "Connection: close"), 200, "2.5")
	k.expect(d.predicting("half", `{"instances":[[]]}`), 400, "error")
	answer, _, err := k.ask(d.predicting("half", half))
	check(t, err)
	if timing := answer.Header.Get("Server-Timing"); !strings.HasPrefix(timing, "parse;dur=") || !strings.Contains(timing, ", run;dur=") {
		t.Errorf("Server-Timing is %q", timing)
	}
	status, got := d.raw("GET", "/metrics", "")
	for _, want := range []string{
		`hearth_predict_requests_total{code="200",model="half",project="hearth",replica="0",version="v1"} 5`,
		`hearth_predict_requests_total{code="400",model="half",project="hearth",replica="0",version="v1"} 1`,
		`hearth_predict_seconds_count{model="half",project="hearth",replica="0",version="v1"} 6`,
		`hearth_predict_phase_seconds_count{model="half",phase="run",project="hearth",replica="0",version="v1"} 5`,
		`hearth_predict_run_instances_bucket{model="half",project="hearth",replica="0",version="v1",le="1"} 5`,
		`hearth_predict_in_flight{model="half",project="hearth",replica="0",version="v1"} 0`,
		`hearth_predict_connections{model="half",project="hearth",replica="0",version="v1"}`,
		`hearth_version_memory_bytes{model="half",project="hearth",replica="0",version="v1"}`,
		"process_resident_memory_bytes", "go_goroutines",
	} {
		if status != 200 || !strings.Contains(string(got), want) {
			t.Errorf("%d, without %s", status, want)
		}
	}
	if t.Failed() {
		t.Logf("%s", got)
	}
}
