package serving_test

import (
	"context"
	"os"
	"testing"

	"github.com/rs/zerolog"

	"hearth/scheduler/process"
	"hearth/serving"
)

var _ serving.Executor = (*process.Supervisor)(nil)

// newSupervisor gives a real supervisor, whose processes end with the test.
func newSupervisor(t testing.TB, dir string) *process.Supervisor {
	t.Helper()
	s, err := process.Open(process.Options{Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		attempts, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		for _, a := range attempts {
			id := a.Name() + "/model-worker"
			if !s.Started(id) {
				continue
			}
			if err := s.Stop(context.Background(), id); err != nil {
				t.Errorf("stop %s: %v", id, err)
			}
			if _, err := s.Wait(context.Background(), id); err != nil {
				t.Errorf("wait for %s: %v", id, err)
			}
		}
	})
	return s
}
