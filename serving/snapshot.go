package serving

import (
	"hearth/ml"
)

// VersionStatus is what there is to tell of a version.
type VersionStatus struct {
	Project, Model, Version string
	State                   ml.VersionState
	Default                 bool
	// PID is that of its first worker, 0 while none answers; PIDs are those of all.
	PID  int
	PIDs []int
	// Session says how the workers run the model, empty while none answers.
	Session string
	// Memory is what the workers held when they began to answer, in bytes.
	Memory int64
	// Lent is how many connections of clients the workers have.
	Lent int
	// Restarts counts its workers since this daemon began, but the first of each
	// replica.
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
		s.Project, s.Model, s.Version, s.State, s.Default = all[i].Project, all[i].Model, all[i].Version, all[i].State, all[i].Default
		if r.Version.State != ml.VersionReady {
			s.Message = all[i].Message
		}
		all[i] = s
	}
	return all, nil
}
