package scheduler

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
	"hearth/storage/metadata"
)

func TestPlan(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	// Jobs are written NAME:CPUS/GPUS, with +SECONDS for a maximum wait; all of
	// them came a minute ago. So are those that run, without a name.
	parse := func(text string) (queue []*waiting) {
		for f := range strings.FieldsSeq(text) {
			w := &waiting{}
			var seconds int
			name, rest, _ := strings.Cut(f, ":")
			w.job, w.submitted, w.need.Memory = name, now.Add(-time.Minute), 1
			fmt.Sscanf(rest, "%d/%d+%d", &w.need.CPUs, &w.need.GPUs, &seconds)
			w.maxWait = time.Duration(seconds) * time.Second
			queue = append(queue, w)
		}
		return queue
	}
	for _, c := range []struct {
		name       string
		queue      string
		runs       string
		total      ml.Resources
		free       ml.Resources
		start, end string
		wake       time.Duration
	}{
		{name: "empty", total: ml.Resources{CPUs: 4, Memory: 9}, free: ml.Resources{CPUs: 4, Memory: 9}},
		{name: "all fit", queue: "a:1/0 b:1/1",
			total: ml.Resources{CPUs: 2, Memory: 9, GPUs: 1}, free: ml.Resources{CPUs: 2, Memory: 9, GPUs: 1}, start: "a b"},
		{name: "submit order", queue: "a:1/0 b:1/0 c:1/0",
			total: ml.Resources{CPUs: 2, Memory: 9}, free: ml.Resources{CPUs: 2, Memory: 9}, start: "a b"},
		{name: "memory counts", queue: "a:1/0 b:1/0",
			total: ml.Resources{CPUs: 9, Memory: 9}, free: ml.Resources{CPUs: 9, Memory: 1}, start: "a"},
		{name: "nothing passes on the resource that is short", queue: "a:2/0 b:1/0",
			total: ml.Resources{CPUs: 2, Memory: 9}, free: ml.Resources{CPUs: 1, Memory: 9}, start: ""},
		{name: "a job for processors passes one that waits for a GPU", queue: "a:1/1 b:1/0",
			total: ml.Resources{CPUs: 4, Memory: 9, GPUs: 1}, free: ml.Resources{CPUs: 3, Memory: 9}, start: "b"},
		{name: "but not into what that one will need", queue: "a:1/1 b:1/0",
			total: ml.Resources{CPUs: 2, Memory: 9, GPUs: 1}, free: ml.Resources{CPUs: 1, Memory: 9}, start: ""},
		{name: "nor a third into what the first two need", queue: "a:1/1 b:1/1 c:1/0 d:1/0",
			total: ml.Resources{CPUs: 4, Memory: 9, GPUs: 2}, free: ml.Resources{CPUs: 3, Memory: 9}, start: "c"},
		{name: "a GPU job does not pass one that needs more GPUs", queue: "a:1/2 b:1/1",
			total: ml.Resources{CPUs: 8, Memory: 9, GPUs: 2}, free: ml.Resources{CPUs: 8, Memory: 9, GPUs: 1}, start: ""},
		{name: "the first leaves what it will not need whoever ends", queue: "a:3/0 b:1/0", runs: ":2/0 :2/0",
			total: ml.Resources{CPUs: 6, Memory: 9}, free: ml.Resources{CPUs: 2, Memory: 5}, start: "b"},
		{name: "but not what it needs when the smaller one ends", queue: "a:3/0 b:1/0", runs: ":3/0 :1/0",
			total: ml.Resources{CPUs: 6, Memory: 9}, free: ml.Resources{CPUs: 2, Memory: 5}, start: ""},
		{name: "nor what the second needs", queue: "a:3/0 b:3/0 c:1/0", runs: ":2/0 :2/0",
			total: ml.Resources{CPUs: 6, Memory: 9}, free: ml.Resources{CPUs: 2, Memory: 5}, start: ""},
		{name: "one that starts counts for those behind", queue: "a:2/0 b:4/0 c:1/0", runs: ":2/0",
			total: ml.Resources{CPUs: 6, Memory: 9}, free: ml.Resources{CPUs: 4, Memory: 5}, start: "a"},
		{name: "what can never fit is refused and blocks nobody", queue: "a:9/0 b:1/0",
			total: ml.Resources{CPUs: 2, Memory: 9}, free: ml.Resources{CPUs: 2, Memory: 9}, start: "b", end: "a"},
		{name: "waited too long", queue: "a:1/0+60 b:1/0+90 c:1/0",
			total: ml.Resources{CPUs: 1, Memory: 9}, free: ml.Resources{Memory: 9}, end: "a", wake: 30 * time.Second},
		{name: "free just in time", queue: "a:1/0+60",
			total: ml.Resources{CPUs: 1, Memory: 9}, free: ml.Resources{CPUs: 1, Memory: 9}, start: "a"},
		{name: "more is held than there is", queue: "a:1/0",
			total: ml.Resources{CPUs: 1, Memory: 9}, free: ml.Resources{CPUs: -1, Memory: 9}, start: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := host{total: c.total, free: c.free}
			for _, w := range parse(c.runs) {
				h.held = append(h.held, w.need)
			}
			actions, wake := plan(parse(c.queue), h, now)
			var start, end []string
			for _, a := range actions {
				if a.refuse != "" {
					end = append(end, a.job.job)
				} else {
					start = append(start, a.job.job)
				}
			}
			if got := strings.Join(start, " "); got != c.start {
				t.Errorf("starts %q, want %q", got, c.start)
			}
			if got := strings.Join(end, " "); got != c.end {
				t.Errorf("ends %q, want %q", got, c.end)
			}
			if c.wake == 0 && !wake.IsZero() || c.wake != 0 && !wake.Equal(now.Add(c.wake)) {
				t.Errorf("wakes at %v", wake)
			}
		})
	}
}

func BenchmarkPlan(b *testing.B) {
	queue := make([]*waiting, 100_000)
	for i := range queue {
		queue[i] = &waiting{jobKey: jobKey{"p", fmt.Sprint("j", i)}, demand: demand{need: ml.Resources{CPUs: 1, Memory: 1, GPUs: i % 2}}}
	}
	h := host{total: ml.Resources{CPUs: 64, Memory: 64, GPUs: 8}}
	for range 64 {
		h.held = append(h.held, ml.Resources{CPUs: 1, Memory: 1})
	}
	for b.Loop() {
		plan(queue, h, time.Time{})
	}
}

func TestMachines_Demand(t *testing.T) {
	m := Machines{
		Small: ml.Resources{CPUs: 1, Memory: 7},
		Types: map[string]ml.Resources{"box": {CPUs: 3, Memory: 5, GPUs: 1}},
		Tiers: map[string]Tier{ml.TierStandard1: {2, 1}},
	}
	gpus := func(n ml.Int64) *ml.ReplicaConfig {
		return &ml.ReplicaConfig{AcceleratorConfig: &ml.AcceleratorConfig{Count: n}}
	}
	big := ml.Resources{CPUs: 1000, Memory: 10000 * gib, GPUs: 16}
	for _, c := range []struct {
		name  string
		in    ml.TrainingInput
		host  ml.Resources
		need  ml.Resources
		tasks string
		ports int
	}{
		{"none", ml.TrainingInput{}, big, ml.Resources{CPUs: 1, Memory: 7}, "master-replica-0", 0},
		{"basic", ml.TrainingInput{ScaleTier: "BASIC"}, big, ml.Resources{CPUs: 1, Memory: 7}, "master-replica-0", 0},
		{"gpu", ml.TrainingInput{ScaleTier: "BASIC_GPU"}, big, ml.Resources{CPUs: 1, Memory: 7, GPUs: 1}, "master-replica-0", 0},
		{"standard", ml.TrainingInput{ScaleTier: "STANDARD_1"}, big, ml.Resources{CPUs: 4, Memory: 28},
			"master-replica-0 worker-replica-0 worker-replica-1 ps-replica-0", 4},
		{"n1", ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "n1-standard-4"}, big, ml.Resources{CPUs: 4, Memory: 15 * gib}, "master-replica-0", 0},
		{"e2", ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "e2-highmem-2"}, big, ml.Resources{CPUs: 2, Memory: 16 * gib}, "master-replica-0", 0},
		{"older", ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "complex_model_m_gpu"}, big, ml.Resources{CPUs: 16, Memory: 60 * gib, GPUs: 4}, "master-replica-0", 0},
		{"a2", ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "a2-highgpu-2g"}, big, ml.Resources{CPUs: 24, Memory: 170 * gib, GPUs: 2}, "master-replica-0", 0},
		{"unknown", ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "toaster"}, big, ml.Resources{CPUs: 1, Memory: 7}, "master-replica-0", 0},
		{"configured", ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "box"}, big, ml.Resources{CPUs: 3, Memory: 5, GPUs: 1}, "master-replica-0", 0},
		{"accelerators", ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "box", MasterConfig: gpus(2)}, big, ml.Resources{CPUs: 3, Memory: 5, GPUs: 2}, "master-replica-0", 0},
		{"cluster", ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "box", WorkerType: "box", WorkerCount: 2, WorkerConfig: gpus(3), EvaluatorType: "toaster", EvaluatorCount: 1},
			big, ml.Resources{CPUs: 10, Memory: 22, GPUs: 7}, "master-replica-0 worker-replica-0 worker-replica-1 evaluator-replica-0", 3},
		{"cut to the host", ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "n1-standard-4", MasterConfig: gpus(8)}, ml.Resources{CPUs: 2, Memory: gib, GPUs: 1},
			ml.Resources{CPUs: 2, Memory: gib, GPUs: 8}, "master-replica-0", 0},
	} {
		d := m.demand(&ml.Job{TrainingInput: &c.in}, c.host)
		var tasks []string
		for _, r := range d.replicas {
			tasks = append(tasks, r.Task())
		}
		if d.need != c.need || strings.Join(tasks, " ") != c.tasks || d.ports() != c.ports || (d.clamped != "") != (c.host != big) {
			t.Errorf("%s: %v of %s with %d ports, %q", c.name, d.need, tasks, d.ports(), d.clamped)
		}
	}
}

func TestDemand_Place(t *testing.T) {
	d := demand{replicas: []replicaDemand{
		{ml.Replica{Kind: ml.ReplicaMaster}, ml.Resources{GPUs: 1}},
		{ml.Replica{Kind: ml.ReplicaWorker}, ml.Resources{GPUs: 2}},
		{ml.Replica{Kind: ml.ReplicaEvaluator}, ml.Resources{}},
	}}
	got := d.place([]string{"A", "B", "C"}, []int{20000, 20001})
	want := []metadata.Replica{
		{Replica: ml.Replica{Kind: ml.ReplicaMaster}, GPUs: []string{"A"}, Port: 20000},
		{Replica: ml.Replica{Kind: ml.ReplicaWorker}, GPUs: []string{"B", "C"}, Port: 20001},
		{Replica: ml.Replica{Kind: ml.ReplicaEvaluator}, GPUs: []string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSlots(t *testing.T) {
	s := newSlots(Options{CPUs: 4, Memory: 10, GPUs: []string{"A", "B", "C"}})
	k1, k2 := jobKey{"p", "1"}, jobKey{"p", "2"}
	offer := func(need ml.Resources) metadata.Lease {
		l, err := s.offer(demand{need: need})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l1 := offer(ml.Resources{CPUs: 1, Memory: 2, GPUs: 2})
	s.hold(k1, l1)
	l2 := offer(ml.Resources{CPUs: 1, GPUs: 1})
	s.hold(k2, l2)
	if !slices.Equal(l1.GPUs, []string{"A", "B"}) || !slices.Equal(l2.GPUs, []string{"C"}) {
		t.Errorf("devices %v and %v", l1.GPUs, l2.GPUs)
	}
	if got, want := s.free(), (ml.Resources{CPUs: 2, Memory: 8}); got != want {
		t.Errorf("free %v, want %v", got, want)
	}
	s.release(k1)
	if l := offer(ml.Resources{GPUs: 1}); !slices.Equal(l.GPUs, []string{"A"}) {
		t.Errorf("device %v", l.GPUs)
	}
	t.Run("a device that is gone", func(t *testing.T) {
		s := newSlots(Options{CPUs: 4, GPUs: []string{"A"}})
		s.hold(k1, l2)
		if s.free().GPUs != 1 {
			t.Errorf("free %v", s.free())
		}
	})
}

func TestSlots_Ports(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	s := newSlots(Options{Ports: [2]int{port, port}})
	if _, err := s.freePorts(1); !errors.Is(err, errNoPorts) {
		t.Errorf("a port that somebody listens on: %v", err)
	}
	taken.Close()
	ports, err := s.freePorts(1)
	if err != nil || !slices.Equal(ports, []int{port}) {
		t.Fatalf("%v, %v", ports, err)
	}
	s.hold(jobKey{"p", "1"}, metadata.Lease{Ports: ports})
	if _, err := s.freePorts(1); !errors.Is(err, errNoPorts) {
		t.Errorf("a port that is leased: %v", err)
	}
}

func TestQueue(t *testing.T) {
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	job := func(id string, priority int32, second int) *waiting {
		return &waiting{jobKey: jobKey{"p", id}, priority: priority, submitted: t0.Add(time.Duration(second) * time.Second)}
	}
	var q queue
	for _, w := range []*waiting{job("late", 0, 9), job("b", 0, 1), job("a", 0, 1), job("urgent", 5, 10), job("a", 0, 1)} {
		q.add(w)
	}
	order := func(list []*waiting) string {
		var ids []string
		for _, w := range list {
			ids = append(ids, w.job)
		}
		return strings.Join(ids, " ")
	}
	before := q.publish()
	q.remove(jobKey{"p", "b"})
	q.remove(jobKey{"p", "b"})
	if got := order(q.list); got != "urgent a late" {
		t.Errorf("queue is %s", got)
	}
	if got := order(before); got != "urgent a b late" {
		t.Errorf("what was published has become %s", got)
	}
}
