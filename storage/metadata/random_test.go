package metadata

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"hearth/ml"
)

// model is what the database should hold, in the plainest form.
type model struct {
	order    []string
	jobs     map[string]ml.JobState
	attempts map[string]bool
	versions map[string]ml.VersionState
	byModel  map[string]string // default version of each model
}

func newModel() *model {
	return &model{
		jobs: map[string]ml.JobState{}, attempts: map[string]bool{},
		versions: map[string]ml.VersionState{}, byModel: map[string]string{},
	}
}

// job applies a step to the model's job: next is its state after each state
// from which the step is legal. It returns the error to expect.
func (m *model) job(id string, next map[ml.JobState]ml.JobState) ml.Kind {
	s, ok := m.jobs[id]
	switch {
	case !ok:
		return ml.NotFound
	case s.Final():
		return ml.OK
	case next[s] == "":
		return ml.FailedPrecondition
	}
	m.jobs[id] = next[s]
	return ml.OK
}

// jobStep does one random thing to one random job, to the database and the
// model, and returns what it was, the error that came and the one expected.
func (m *model) jobStep(r *rand.Rand, db *testDB) (string, ml.Kind, error) {
	id := fmt.Sprintf("job_%d", r.IntN(60))
	switch r.IntN(7) {
	case 0, 1:
		_, err := db.SubmitJob(project, trainingJob(id))
		if _, ok := m.jobs[id]; ok {
			return "submit " + id, ml.AlreadyExists, err
		}
		m.jobs[id], m.order = ml.JobQueued, append(m.order, id)
		return "submit " + id, ml.OK, err
	case 2, 3:
		_, err := db.StartAttempt(project, id, Attempt{Lease: Lease{Resources: ml.Resources{CPUs: 1}}, SecretHash: []byte{1}})
		want := m.job(id, map[ml.JobState]ml.JobState{ml.JobQueued: ml.JobPreparing})
		if s := m.jobs[id]; s.Final() {
			want = ml.FailedPrecondition
		}
		if want == ml.OK {
			m.attempts[id] = true
		}
		return "start " + id, want, err
	case 4:
		_, err := db.SetJobRunning(project, id)
		return "run " + id, m.job(id, map[ml.JobState]ml.JobState{
			ml.JobPreparing: ml.JobRunning, ml.JobRunning: ml.JobRunning, ml.JobCancelling: ml.JobCancelling,
		}), err
	case 5:
		_, err := db.CancelJob(project, id)
		return "cancel " + id, m.job(id, map[ml.JobState]ml.JobState{
			ml.JobQueued: ml.JobCancelled, ml.JobPreparing: ml.JobCancelling, ml.JobRunning: ml.JobCancelling, ml.JobCancelling: ml.JobCancelling,
		}), err
	}
	state := []ml.JobState{ml.JobSucceeded, ml.JobFailed}[r.IntN(2)]
	_, err := db.FinishJob(project, id, Finish{State: state, Exit: &ml.Exit{Code: 1}})
	next := map[ml.JobState]ml.JobState{ml.JobRunning: state, ml.JobCancelling: ml.JobCancelled}
	if state == ml.JobFailed {
		next[ml.JobQueued], next[ml.JobPreparing] = state, state
	}
	return "finish " + id, m.job(id, next), err
}

// version gives the state of a version and the error to expect where there is
// none.
func (m *model) version(model, id string) (ml.VersionState, ml.Kind) {
	if _, ok := m.byModel[model]; !ok {
		return "", ml.NotFound
	}
	if s, ok := m.versions[model+"/"+id]; ok {
		return s, ml.OK
	}
	return "", ml.NotFound
}

func (m *model) count(model string) int {
	n := 0
	for k := range m.versions {
		if k[:len(model)+1] == model+"/" {
			n++
		}
	}
	return n
}

func (m *model) modelStep(r *rand.Rand, db *testDB) (string, ml.Kind, error) {
	name := fmt.Sprintf("m%d", r.IntN(3))
	def, exists := m.byModel[name]
	if r.IntN(3) > 0 {
		_, err := db.CreateModel(project, &ml.Model{Name: name})
		if exists {
			return "create " + name, ml.AlreadyExists, err
		}
		m.byModel[name] = def
		return "create " + name, ml.OK, err
	}
	_, err := db.DeleteModel(project, name)
	switch {
	case !exists:
		return "delete " + name, ml.NotFound, err
	case m.count(name) > 0:
		return "delete " + name, ml.FailedPrecondition, err
	}
	delete(m.byModel, name)
	return "delete " + name, ml.OK, err
}

func (m *model) versionStep(r *rand.Rand, db *testDB) (string, ml.Kind, error) {
	name, id := fmt.Sprintf("m%d", r.IntN(3)), fmt.Sprintf("v%d", r.IntN(4))
	key := name + "/" + id
	s, want := m.version(name, id)
	refuse := func(unless bool) {
		if want == ml.OK && !unless {
			want = ml.FailedPrecondition
		}
	}
	switch r.IntN(6) {
	case 0, 1:
		_, _, err := db.CreateVersion(project, name, &ml.Version{Name: id})
		_, exists := m.byModel[name]
		switch {
		case want == ml.OK:
			want = ml.AlreadyExists
		case exists:
			m.versions[key], want = ml.VersionCreating, ml.OK
		}
		return "create " + key, want, err
	case 2:
		var failure *ml.Status
		next := ml.VersionReady
		if r.IntN(3) == 0 {
			failure, next = &ml.Status{Code: ml.Internal, Message: "x"}, ml.VersionFailed
		}
		_, err := db.FinishVersion(project, name, id, failure)
		refuse(s == ml.VersionCreating)
		if want == ml.OK {
			m.versions[key] = next
			if next == ml.VersionReady && m.byModel[name] == "" {
				m.byModel[name] = id
			}
		}
		return "finish " + key, want, err
	case 3:
		_, err := db.BeginDeleteVersion(project, name, id)
		refuse(s == ml.VersionDeleting || m.byModel[name] != id || m.count(name) == 1)
		if want == ml.OK {
			m.versions[key] = ml.VersionDeleting
			if m.byModel[name] == id {
				m.byModel[name] = ""
			}
		}
		return "begin delete " + key, want, err
	case 4:
		err := db.FinishDeleteVersion(project, name, id)
		refuse(s == ml.VersionDeleting)
		if want == ml.OK {
			delete(m.versions, key)
		}
		return "finish delete " + key, want, err
	}
	_, err := db.SetDefaultVersion(project, name, id)
	refuse(s == ml.VersionReady)
	if want == ml.OK {
		m.byModel[name] = id
	}
	return "set default " + key, want, err
}

// compare reads everything back.
func (m *model) compare(t *testing.T, db *testDB) {
	t.Helper()
	var newest []string
	for token := ""; ; {
		jobs, next, err := db.Jobs(project, 7, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs {
			newest = append(newest, j.JobID)
			equal(t, "state of "+j.JobID, j.State, m.jobs[j.JobID])
		}
		if token = next; token == "" {
			break
		}
	}
	slices.Reverse(newest)
	equal(t, "jobs", newest, m.order)
	var unfinished, got []string
	for _, id := range m.order {
		if !m.jobs[id].Final() {
			unfinished = append(unfinished, fmt.Sprint(id, m.attempts[id]))
		}
	}
	for _, r := range must(db.UnfinishedJobs())(t) {
		got = append(got, fmt.Sprint(r.Job.JobID, r.Attempt != nil))
	}
	equal(t, "unfinished jobs", got, unfinished)
	versions, byModel := map[string]ml.VersionState{}, map[string]string{}
	for _, r := range must(db.AllVersions())(t) {
		versions[r.Model+"/"+ml.LastSegment(r.Version.Name)] = r.Version.State
	}
	models, _, err := db.Models(project, 100, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, md := range models {
		id := ml.LastSegment(md.Name)
		byModel[id] = db.defaultOf(id)
	}
	equal(t, "versions", versions, m.versions)
	equal(t, "default versions", byModel, m.byModel)
}

// Random calls, compared with the model; the file is reopened and its
// invariants checked after each hundred.
func TestDB_RandomAgainstModel(t *testing.T) {
	const steps = 4000
	r := rand.New(rand.NewPCG(1, 2))
	db, m := openTest(t), newModel()
	db.bolt.NoSync = true
	seen := map[ml.Kind]int{}
	for n := range steps {
		step := []func(*rand.Rand, *testDB) (string, ml.Kind, error){m.jobStep, m.jobStep, m.modelStep, m.versionStep, m.versionStep, m.versionStep}[r.IntN(6)]
		what, want, err := step(r, db)
		if ml.KindOf(err) != want {
			t.Fatalf("step %d: %s: error is %v, want %v", n, what, err, want)
		}
		seen[want]++
		if n%100 != 99 {
			continue
		}
		if err := db.Check(); err != nil {
			t.Fatalf("after step %d (%s): %v", n, what, err)
		}
		db.reopen()
		db.bolt.NoSync = true
		m.compare(t, db)
		if t.Failed() {
			t.Fatalf("the database differs from the model after step %d", n)
		}
		if len(m.order) > 50 {
			// Ids are never free again: begin with an empty file once most are used.
			db.reset()
			db.bolt.NoSync = true
			*m = *newModel()
		}
	}
	if kinds := slices.Sorted(maps.Keys(seen)); !slices.Equal(kinds, []ml.Kind{ml.OK, ml.NotFound, ml.AlreadyExists, ml.FailedPrecondition}) {
		t.Errorf("the steps met only %v", kinds)
	}
}
