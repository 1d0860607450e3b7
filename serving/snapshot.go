package serving

import (
	"hearth/ml"
)

// VersionStatus is what there is to tell of a version.
type VersionStatus struct {
	Project, Model, Version string
	State                   ml.VersionState
	Default                 bool
	// PID is that of its worker, 0 while none answers.
	PID int
	// Session says how the worker runs the model, empty while none answers.
	Session string
	// Lent is how many connections of clients the worker has.
	Lent int
	// Restarts counts its workers since this daemon began, but the first.
	Restarts int
	// Message says why no worker answers, or why the version failed.
	Message string
}

// Snapshot tells how every version is.
func (m *Manager) Snapshot() ([]VersionStatus, error) {
	records, err := m.o.DB.AllVersions()
	if err != nil {
		return nil, err
	}
	all := make([]VersionStatus, len(records))
	for i, r := range records {
		k := keyOf(r)
		all[i] = VersionStatus{Project: k.project, Model: k.model, Version: k.version, State: r.Version.State, Default: r.Version.IsDefault, Message: r.Version.ErrorMessage}
		m.mu.Lock()
		p := m.pools[k]
		m.mu.Unlock()
		if p == nil {
			continue
		}
		s := p.status()
		all[i].PID, all[i].Session, all[i].Restarts, all[i].Lent = s.PID, s.Session, s.Restarts, s.Lent
		if r.Version.State == ml.VersionReady {
			all[i].Message = s.Message
		}
	}
	return all, nil
}
