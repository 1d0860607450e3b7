package scheduler

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"hearth/ml"
	"hearth/storage/metadata"
)

// modelSteps is how many operations the random test does: a million at length.
func modelSteps() int {
	if os.Getenv("HEARTH_TEST_LONG") != "" {
		return 1_000_000
	}
	return 10_000
}

// known is what the model has of a job: what a user could know.
type known struct {
	state    ml.JobState
	attempts int
}

// TestModel does random operations and checks after each: a slot has one owner,
// final states never change, each lease has a live attempt, the first in the
// queue never waits for nothing, and what passes it does not delay it. The seed
// is printed; HEARTH_TEST_SEED repeats it.
func TestModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("HEARTH_TEST_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("HEARTH_TEST_SEED=%d", seed)
	o := Options{CPUs: 8, Memory: 16 * gib, GPUs: []string{"GPU-0", "GPU-1", "GPU-2"}, Ports: [2]int{22000, 22019}, Machines: stageMachines(), Requeue: true}
	o.Rules.Users = [2]uint32{500, 511}
	m := &model{stage: newStage(t, o), rand: rand.New(rand.NewPCG(seed, 1)), jobs: map[string]*known{}}
	for step := range modelSteps() {
		what, err := m.random()
		if err == nil {
			err = m.check()
		}
		if err == nil {
			err = m.compare(step%1000 == 0)
		}
		if err != nil {
			t.Fatalf("step %d, %s: %v", step, what, err)
		}
	}
	t.Logf("%d jobs; in %d steps somebody had passed the first in the queue", m.count, m.passings)
	if err := m.db.Check(); err != nil || m.passings == 0 {
		t.Error(err, m.passings)
	}
}

type model struct {
	*stage
	rand  *rand.Rand
	jobs  map[string]*known
	alive []string // that are not final, as far as the model knows
	count int
	// firstKey is the first job of the queue, and firstAt since when.
	firstKey jobKey
	firstAt  time.Time
	// passings counts how often somebody was found to have passed the first.
	passings int
}

// random does one operation and says which.
func (m *model) random() (string, error) {
	m.now = m.now.Add(time.Nanosecond)
	running := make([]string, 0, len(m.runs))
	for k := range m.runs {
		running = append(running, k.job)
	}
	slices.Sort(running)
	pick := func(list []string) string { return list[m.rand.IntN(len(list))] }
	switch n := m.rand.IntN(100); {
	case n < 40 && m.waitingJobs() < 30:
		return m.submitRandom()
	case n < 75 && len(running) > 0:
		id := pick(running)
		f := metadata.Finish{State: ml.JobSucceeded, Exit: &ml.Exit{}}
		if n < 45 {
			f = metadata.Finish{State: ml.JobFailed, Cause: metadata.CauseProgram, Exit: &ml.Exit{Code: 1}}
		}
		return "end " + id, m.end(id, f)
	case n < 80 && len(running) > 0:
		id := pick(running)
		return "lose " + id, m.end(id, metadata.Finish{State: ml.JobFailed, Cause: metadata.CauseInfrastructure, Exit: &ml.Exit{Lost: true}})
	case n < 88 && len(m.alive) > 0:
		id := pick(m.alive)
		err := m.Cancel(m.t.Context(), stageProject, id)
		m.turn()
		return "cancel " + id, err
	case n < 93 && len(running) > 0:
		id := pick(running)
		return "run " + id, m.begin(id)
	case n < 94:
		m.restart()
		return "restart", nil
	default:
		d := time.Duration(m.rand.IntN(60)) * time.Second
		m.tick(d)
		return "tick " + d.String(), nil
	}
}

func (m *model) waitingJobs() int { return len(m.queue.list) }

func (m *model) submitRandom() (string, error) {
	m.count++
	id := "j" + strconv.Itoa(m.count)
	words := []string{fmt.Sprintf("cpus=%d", 1+m.rand.IntN(5)), fmt.Sprintf("gpus=%d", m.rand.IntN(6)/3)}
	if m.rand.IntN(4) == 0 {
		words = append(words, fmt.Sprintf("replicas=master+%d*worker+ps", 1+m.rand.IntN(3)))
		words[1] = "gpus=0"
	}
	if m.rand.IntN(3) == 0 {
		words = append(words, fmt.Sprintf("priority=%d", m.rand.IntN(3)))
	}
	if m.rand.IntN(4) == 0 {
		words = append(words, fmt.Sprintf("wait=%ds", 1+m.rand.IntN(300)))
	}
	job, err := stageJob(id, words)
	if err != nil {
		return "", err
	}
	m.jobs[id] = &known{state: ml.JobQueued}
	m.alive = append(m.alive, id)
	return fmt.Sprint("submit ", id, words), m.submitJob(job)
}

// compare looks at the jobs that may have changed, and now and then at all.
func (m *model) compare(all bool) error {
	ids := m.alive
	if all {
		ids = ids[:0:0]
		for id := range m.jobs {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		job, err := m.Job(stageProject, id)
		if err != nil {
			return err
		}
		k := m.jobs[id]
		if err := m.compareOne(job, k); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		k.state = job.State
		// What is final is looked at now and then, for as long as it is little.
		if all && job.State.Final() && len(m.jobs) > 2000 {
			delete(m.jobs, id)
		}
	}
	m.alive = slices.DeleteFunc(m.alive, func(id string) bool { k := m.jobs[id]; return k == nil || k.state.Final() })
	return m.comparePassing()
}

func (m *model) compareOne(job *ml.Job, k *known) error {
	if k.state.Final() && job.State != k.state {
		return fmt.Errorf("it was %s and is %s", k.state, job.State)
	}
	w, r := m.queue.known[jobKey{stageProject, job.JobID}], m.run(job.JobID)
	switch {
	case (job.State == ml.JobQueued) != (w != nil):
		return fmt.Errorf("it is %s; in the queue: %t", job.State, w != nil)
	case (r != nil) != (!job.State.Final() && job.State != ml.JobQueued):
		return fmt.Errorf("it is %s; it runs: %t", job.State, r != nil)
	case w != nil && int(job.JobPosition) != slices.Index(m.queue.list, w)+1:
		return fmt.Errorf("it is said to be at %d and is at %d", job.JobPosition, slices.Index(m.queue.list, w)+1)
	case r != nil && r.attempt.Number < k.attempts:
		return fmt.Errorf("attempt %d follows %d", r.attempt.Number, k.attempts)
	case r != nil && r.attempt.Number > maxAttempts:
		return fmt.Errorf("it has attempt %d", r.attempt.Number)
	}
	if r != nil {
		k.attempts = r.attempt.Number
	}
	return nil
}

// comparePassing checks the plan's promise by brute force: whichever of the
// leases end, the first in the queue starts no later for those that passed it
// than it would without them. A job of a higher priority that came after these
// is not the plan's to foresee.
func (m *model) comparePassing() error {
	if len(m.queue.list) == 0 {
		return nil
	}
	first := m.queue.list[0]
	since := m.firstSince(first)
	var ahead, passed []ml.Resources
	var newest, oldest time.Time // of those ahead, of those that passed
	for _, r := range m.runs {
		created := r.attempt.Created.Time
		if newWaiting(stageProject, r.job, m.o.Machines, m.slots.total).before(first) || !created.After(since) {
			ahead = append(ahead, r.attempt.Lease.Resources)
			if created.After(newest) {
				newest = created
			}
			continue
		}
		passed = append(passed, r.attempt.Lease.Resources)
		if oldest.IsZero() || created.Before(oldest) {
			oldest = created
		}
	}
	if len(passed) == 0 || newest.After(oldest) || len(ahead) > 12 {
		return nil
	}
	m.passings++
	for set := range 1 << len(ahead) {
		without := m.slots.total
		for i, r := range ahead {
			if set&(1<<i) == 0 {
				without = without.Minus(r)
			}
		}
		with := without
		for _, r := range passed {
			with = with.Minus(r)
		}
		if first.need.Fits(without) && !first.need.Fits(with) {
			return fmt.Errorf("%s, the first, would start beside %v without %v, which passed it", first.job, ahead, passed)
		}
	}
	return nil
}

// firstSince is since when a job has been the first in the queue: what was
// started before is nothing that has passed it there.
func (m *model) firstSince(first *waiting) time.Time {
	if m.firstKey != first.jobKey {
		m.firstKey, m.firstAt = first.jobKey, m.now
	}
	return m.firstAt
}
