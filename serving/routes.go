package serving

import (
	"bytes"

	"hearth/ml"
	"hearth/storage/metadata"
)

// routes says which pool answers for what. It never changes once published.
type routes struct {
	models   map[modelKey]modelRoutes
	policies map[modelKey]*ml.Policy
}

type modelKey struct{ project, model string }

// modelRoutes holds a model's READY versions; the default one, if there is one,
// also under the empty name.
type modelRoutes map[string]*pool

// find gives the pool of a version, of the default one for an empty name; nil
// if there is none.
func (r *routes) find(project, model, version string) *pool {
	return r.models[modelKey{project, model}][version]
}

// refresh reads what is wanted and publishes routes to the versions that are
// READY. It is called after every change of the metadata, before the caller of
// the change hears of it.
func (m *Manager) refresh() ([]metadata.VersionRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	records, err := m.o.DB.AllVersions()
	if err != nil {
		return nil, err
	}
	policies, err := m.o.DB.ModelPolicies()
	if err != nil {
		return nil, err
	}
	next := &routes{models: map[modelKey]modelRoutes{}, policies: map[modelKey]*ml.Policy{}}
	for _, p := range policies {
		next.policies[modelKey{p.Project, p.Model}] = p.Policy
	}
	for _, r := range records {
		k := keyOf(r)
		if r.Version.State != ml.VersionReady {
			continue
		}
		mk := modelKey{k.project, k.model}
		if next.models[mk] == nil {
			next.models[mk] = modelRoutes{}
		}
		p := m.poolLocked(k, r.Version)
		next.models[mk][k.version] = p
		if r.Version.IsDefault {
			next.models[mk][""] = p
		}
	}
	before := m.routes.Swap(next)
	for p := range changed(before, next) {
		p.recall()
	}
	return records, nil
}

// changed gives the pools that no longer answer for all that they answered for, or
// not for the same people: what was decided about connections that they were lent does
// not hold any more.
func changed(before, after *routes) map[*pool]struct{} {
	pools := map[*pool]struct{}{}
	for model, versions := range before.models {
		for version, p := range versions {
			if after.models[model][version] != p || !samePolicy(before.policies[model], after.policies[model]) {
				pools[p] = struct{}{}
			}
		}
	}
	return pools
}

func samePolicy(a, b *ml.Policy) bool {
	return a == nil && b == nil || a != nil && b != nil && bytes.Equal(a.Etag, b.Etag)
}

// pool gives the pool of a version, a new one if there is none.
func (m *Manager) pool(k key, v *ml.Version) *pool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.poolLocked(k, v)
}

func (m *Manager) poolLocked(k key, v *ml.Version) *pool {
	p := m.pools[k]
	if p == nil {
		// A label that says nothing, which only an earlier release let in, sets nothing.
		l, _ := m.limitsOf(v)
		p = newPool(v, l)
		m.pools[k] = p
	}
	return p
}

// forget drops the pool of a version that is gone.
func (m *Manager) forget(k key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pools, k)
}
