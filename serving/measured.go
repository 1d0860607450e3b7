package serving

import (
	"hearth/serving/frame"
)

// measured is what is known of a version's workers from those that there were.
type measured struct {
	// memory is what one holds, in bytes, 0 if none was seen.
	memory int64
	// tuning is how the model runs best, nil if none has found out.
	tuning *frame.Tuning
}

func (k *keeper) known() measured {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.measured
}

// note keeps what was seen of a worker, where that is news.
func (k *keeper) note(seen measured) {
	k.mu.Lock()
	before := k.measured
	// Memory is never quite the same.
	if d := seen.memory - before.memory; seen.memory > 0 && (d > before.memory/10 || d < -before.memory/10) {
		k.measured.memory = seen.memory
	}
	if seen.tuning != nil {
		k.measured.tuning = seen.tuning
	}
	now := k.measured
	k.mu.Unlock()
	if now.memory == before.memory && now.tuning.String() == before.tuning.String() {
		return
	}
	if err := k.m.o.DB.SetVersionMeasured(k.key.project, k.key.model, k.key.version, now.memory, now.tuning.String()); err != nil {
		k.log.Warn().Err(err).Msg("what was measured of the version is not kept")
	}
}
