package appliance

import (
	"context"
	"strings"
	"time"
)

// collectEvery is how often environments that nobody uses any more are looked
// for.
const collectEvery = time.Hour

// collectEnvironments removes environments that have not been used for as long
// as the configuration keeps them.
func (a *Appliance) collectEnvironments(ctx context.Context) error {
	keep := time.Duration(a.config.Runtimes.KeepEnvironments)
	if keep == 0 {
		return nil
	}
	select {
	case <-a.scheduler.Ready():
	case <-ctx.Done():
		return nil
	}
	for tick := time.NewTicker(collectEvery); ; {
		removed, err := a.runtimes.Collect(time.Now().Add(-keep), a.environmentInUse)
		if err != nil {
			a.log.Error().Err(err).Msg("collect environments")
		}
		if removed > 0 {
			a.log.Info().Int("removed", removed).Msg("environments that were not used any more are gone")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return nil
		}
	}
}

// environmentInUse reports whether a running job's program is in the folder.
func (a *Appliance) environmentInUse(dir string) bool {
	for _, r := range a.scheduler.Snapshot().Running {
		p, ok := a.supervisor.Asked(r.Attempt + "/master-replica-0")
		if ok && strings.HasPrefix(p.Args[0], dir+"/") {
			return true
		}
	}
	return false
}
