package serving

import (
	"context"
	"errors"
	"fmt"
)

// EndWorkers asks every worker to end, which takes no more than the requests
// it still answers. It is for after Run, when no daemon is to follow soon: the
// next one starts the workers again.
func (m *Manager) EndWorkers(ctx context.Context) error {
	records, err := m.o.DB.AllVersions()
	if err != nil {
		return fmt.Errorf("end workers: %w", err)
	}
	var errs []error
	for _, r := range records {
		id := processID(keyOf(r), r.WorkerNumber)
		if r.WorkerNumber > 0 && m.o.Executor.Started(id) {
			errs = append(errs, m.o.Executor.Stop(ctx, id))
		}
	}
	return errors.Join(errs...)
}
