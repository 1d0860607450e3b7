package serving

import (
	"context"
	"strings"

	"hearth/ml"
	"hearth/ml/crash"
)

// CreateModel makes a model. INVALID_ARGUMENT names the field at fault;
// ALREADY_EXISTS for a name that is taken.
func (m *Manager) CreateModel(_ context.Context, project string, model *ml.Model) (*ml.Model, error) {
	if err := model.ValidateNew(); err != nil {
		return nil, err
	}
	return m.o.DB.CreateModel(project, model)
}

// SetModelPolicy says who beside the owner may use a model. It holds for every request
// that begins after the return. INVALID_ARGUMENT or UNIMPLEMENTED names the field at
// fault; ABORTED if the policy was changed since its etag was read.
func (m *Manager) SetModelPolicy(_ context.Context, project, model string, p *ml.Policy) (*ml.Policy, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p.Merge()
	p.Version = 1
	stored, err := m.o.DB.SetModelPolicy(project, model, p)
	if err != nil {
		return nil, notFound(err, ml.ModelName(project, model))
	}
	if _, err := m.refresh(); err != nil {
		return nil, err
	}
	m.o.Log.Info().Str("model", ml.ModelName(project, model)).Msg("policy set")
	return stored, nil
}

// Allows says whether a model's policy lets somebody do something.
func (m *Manager) Allows(who ml.Principal, project, model, permission string) bool {
	return m.routes.Load().policies[modelKey{project, model}].Grants(who, permission)
}

// DeleteModel removes a model that has no versions; else FAILED_PRECONDITION.
func (m *Manager) DeleteModel(_ context.Context, project, model string) (*ml.Operation, error) {
	op, err := m.o.DB.DeleteModel(project, model)
	if err != nil {
		return nil, notFound(err, ml.ModelName(project, model))
	}
	if _, err := m.refresh(); err != nil { // its policy, too
		return nil, err
	}
	m.o.Log.Info().Str("model", ml.ModelName(project, model)).Msg("model deleted")
	return op, nil
}

// CreateVersion records a version, CREATING, and gives the operation that makes
// it ready: its SavedModel is copied, loaded and warmed up. Afterwards changes
// of the bucket mean nothing to it.
func (m *Manager) CreateVersion(_ context.Context, project, model string, v *ml.Version) (*ml.Operation, error) {
	if err := v.ValidateNew(); err != nil {
		return nil, err
	}
	if _, err := m.o.DB.Model(project, model); err != nil {
		return nil, notFound(err, ml.ModelName(project, model))
	}
	runtime, err := m.o.Runtimes.Lookup(v.RuntimeVersion)
	if err != nil {
		return nil, err
	}
	if v.PythonVersion != "" && runtime.Python != v.PythonVersion && !strings.HasPrefix(runtime.Python, v.PythonVersion+".") {
		return nil, ml.FieldErrorf("pythonVersion", "Runtime %s has Python %s, not %s; leave pythonVersion out to get it.", runtime.Name, runtime.Python, v.PythonVersion)
	}
	if err := m.checkDevices(v, runtime); err != nil {
		return nil, err
	}
	if _, err := m.limitsOf(v); err != nil {
		return nil, err
	}
	v.RuntimeVersion = runtime.Name
	_, op, err := m.o.DB.CreateVersion(project, model, v)
	if err != nil {
		return nil, notFound(err, ml.ModelName(project, model))
	}
	crash.Point("version-created")
	m.o.Log.Info().Str("version", ml.VersionName(project, model, v.Name)).Str("uri", v.DeploymentURI).Msg("version is being created")
	m.replan()
	return op, nil
}

// DeleteVersion takes a version out of service and gives the operation that
// removes it. No request begins at it after the return.
func (m *Manager) DeleteVersion(_ context.Context, project, model, version string) (*ml.Operation, error) {
	op, err := m.o.DB.BeginDeleteVersion(project, model, version)
	if err != nil {
		return nil, notFound(err, ml.VersionName(project, model, version))
	}
	crash.Point("version-deleting")
	if _, err := m.refresh(); err != nil {
		return nil, err
	}
	m.o.Log.Info().Str("version", ml.VersionName(project, model, version)).Msg("version is being deleted")
	m.replan()
	return op, nil
}

// SetDefault makes a READY version the one that answers for its model. Every
// request that begins after the return goes to it.
func (m *Manager) SetDefault(_ context.Context, project, model, version string) (*ml.Version, error) {
	v, err := m.o.DB.SetDefaultVersion(project, model, version)
	if err != nil {
		return nil, notFound(err, ml.VersionName(project, model, version))
	}
	if _, err := m.refresh(); err != nil {
		return nil, err
	}
	m.o.Log.Info().Str("version", v.Name).Msg("version is the default")
	return v, nil
}
