package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/ml"
)

func TestPlan(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	// Jobs are written NAME:CPUS/GPUS, with +SECONDS for a maximum wait; all of
	// them came a minute ago.
	parse := func(text string) (queue []waiting) {
		for f := range strings.FieldsSeq(text) {
			var w waiting
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
			actions, wake := plan(parse(c.queue), c.total, c.free, now)
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
	queue := make([]waiting, 10_000)
	for i := range queue {
		queue[i] = waiting{jobKey: jobKey{"p", fmt.Sprint("j", i)}, need: ml.Resources{CPUs: 1, Memory: 1, GPUs: i % 2}}
	}
	total := ml.Resources{CPUs: 64, Memory: 64, GPUs: 8}
	for b.Loop() {
		plan(queue, total, ml.Resources{}, time.Time{})
	}
}

func TestRequest(t *testing.T) {
	for _, c := range []struct {
		in   ml.TrainingInput
		gpus int
	}{
		{ml.TrainingInput{}, 0},
		{ml.TrainingInput{ScaleTier: "BASIC"}, 0},
		{ml.TrainingInput{ScaleTier: "BASIC_GPU"}, 1},
		{ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "n1-standard-4"}, 0},
		{ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "complex_model_m_gpu"}, 4},
		{ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "a2-highgpu-2g"}, 2},
		{ml.TrainingInput{ScaleTier: "CUSTOM", MasterType: "n1-standard-4", MasterConfig: &ml.ReplicaConfig{AcceleratorConfig: &ml.AcceleratorConfig{Count: 2}}}, 2},
	} {
		if got, want := request(&c.in, 7), (ml.Resources{CPUs: 1, Memory: 7, GPUs: c.gpus}); got != want {
			t.Errorf("%+v: %v, want %v", c.in, got, want)
		}
	}
}

func TestSlots(t *testing.T) {
	s := newSlots(Options{CPUs: 4, Memory: 10, GPUs: []string{"A", "B", "C"}})
	k1, k2 := jobKey{"p", "1"}, jobKey{"p", "2"}
	l1 := s.offer(ml.Resources{CPUs: 1, Memory: 2, GPUs: 2})
	s.hold(k1, l1)
	l2 := s.offer(ml.Resources{CPUs: 1, GPUs: 1})
	s.hold(k2, l2)
	if !slices.Equal(l1.GPUs, []string{"A", "B"}) || !slices.Equal(l2.GPUs, []string{"C"}) {
		t.Errorf("devices %v and %v", l1.GPUs, l2.GPUs)
	}
	if got, want := s.free(), (ml.Resources{CPUs: 2, Memory: 8}); got != want {
		t.Errorf("free %v, want %v", got, want)
	}
	s.release(k1)
	if l := s.offer(ml.Resources{GPUs: 1}); !slices.Equal(l.GPUs, []string{"A"}) {
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
