package appliance

import (
	"context"

	"hearth/ml"
	"hearth/scheduler"
	"hearth/scheduler/runtimes"
	"hearth/serving"
	"hearth/storage/metadata"
)

// servingRuntimes finds the runtimes of versions.
type servingRuntimes struct{ store *runtimes.Store }

// Lookup implements [serving.Runtimes].
func (s servingRuntimes) Lookup(name string) (serving.Runtime, error) {
	r, err := s.store.Get(name)
	if err != nil {
		return serving.Runtime{}, err
	}
	return serving.Runtime{Name: r.Name, Python: r.Python, TensorFlow: r.TensorFlowDir, Folders: r.Folders(), CheckCUDA: r.CheckCUDA}, nil
}

// runtimesAPI lets the API list, install and remove runtimes.
type runtimesAPI struct {
	store     *runtimes.Store
	db        *metadata.DB
	scheduler *scheduler.Scheduler
}

// List implements [hearthv1.Runtimes].
func (a runtimesAPI) List() ([]ml.Runtime, error) {
	infos, err := a.store.List()
	list := make([]ml.Runtime, len(infos))
	for i, info := range infos {
		list[i] = ml.Runtime{
			Name: info.Name, TensorFlow: info.TensorFlow, Python: info.Python,
			State: string(info.State), Default: info.Default, SizeBytes: info.SizeBytes,
		}
	}
	return list, err
}

// Install implements [hearthv1.Runtimes].
func (a runtimesAPI) Install(ctx context.Context, name, wheelhouse, python string, progress func(ml.InstallProgress)) (ml.Runtime, error) {
	r, err := a.store.Install(ctx, name, runtimes.InstallOptions{Wheelhouse: wheelhouse, Python: python}, func(p runtimes.Progress) {
		progress(ml.InstallProgress(p))
	})
	if err != nil {
		return ml.Runtime{}, err
	}
	return ready(r), nil
}

// Export implements [hearthv1.Runtimes].
func (a runtimesAPI) Export(ctx context.Context, name, file string, progress func(ml.InstallProgress)) error {
	return a.store.Export(ctx, name, file, func(p runtimes.Progress) { progress(ml.InstallProgress(p)) })
}

// Import implements [hearthv1.Runtimes].
func (a runtimesAPI) Import(ctx context.Context, file, python string, progress func(ml.InstallProgress)) (ml.Runtime, error) {
	r, err := a.store.Import(ctx, file, python, func(p runtimes.Progress) { progress(ml.InstallProgress(p)) })
	if err != nil {
		return ml.Runtime{}, err
	}
	return ready(r), nil
}

func ready(r *runtimes.Runtime) ml.Runtime {
	return ml.Runtime{Name: r.Name, TensorFlow: r.TensorFlow, Python: r.Python, State: string(runtimes.Ready), SizeBytes: r.SizeBytes}
}

// Remove implements [hearthv1.Runtimes].
func (a runtimesAPI) Remove(name string) error { return a.store.Remove(name, a.inUse) }

// inUse refuses the removal of a runtime that a version or an unfinished job
// stands on.
func (a runtimesAPI) inUse(name string) error {
	versions, err := a.db.AllVersions()
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.Version.RuntimeVersion == name {
			return ml.Errorf(ml.FailedPrecondition, "Runtime %s is in use by %s. Delete the version first.", name, v.Version.Name)
		}
	}
	return a.scheduler.CheckRuntimeUnused(name)
}
