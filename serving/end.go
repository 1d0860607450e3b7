package serving

import (
	"context"
	"errors"
	"fmt"
)

// EndWorkers ends every worker and returns when they have ended, which takes no
// more than the requests that they still answer. It is for after Run, when no
// daemon is to follow soon: the next one starts the workers again.
func (m *Manager) EndWorkers(ctx context.Context) error {
	records, err := m.o.DB.AllVersions()
	if err != nil {
		return fmt.Errorf("end workers: %w", err)
	}
	var errs []error
	var stopped []string
	for _, r := range records {
		for i, replica := range r.Replicas {
			id := processID(keyOf(r), i, replica.WorkerNumber)
			if replica.WorkerNumber > 0 && m.o.Executor.Started(id) {
				errs = append(errs, m.o.Executor.Stop(ctx, id))
				stopped = append(stopped, id)
			}
		}
	}
	for _, id := range stopped {
		_, err := m.o.Executor.Wait(ctx, id)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
