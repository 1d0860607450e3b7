package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"hearth/ml"
	"hearth/storage/object"
)

// maxFiles is how many files a SavedModel may have.
const maxFiles = 1000

// graphFiles are the names that a SavedModel's graph may have, directly in its
// folder.
var graphFiles = []string{"saved_model.pb", "saved_model.pbtxt"}

// fetch copies the SavedModel at uri into dir, whole or not at all. If dir is
// there it has been done before. What is wrong with the address or with what is
// there is INVALID_ARGUMENT or NOT_FOUND.
func (m *Manager) fetch(ctx context.Context, uri, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	files, err := listModel(ctx, m.o.Objects, uri)
	if err != nil {
		return err
	}
	temp := tempOf(dir)
	if err := os.RemoveAll(temp); err != nil {
		return fmt.Errorf("clear what an earlier copy left: %w", err)
	}
	folders := map[string]bool{temp: true}
	for _, f := range files {
		to := filepath.Join(temp, filepath.FromSlash(f.path))
		for d := filepath.Dir(to); !folders[d]; d = filepath.Dir(d) {
			folders[d] = true
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return fmt.Errorf("copy %s: %w", f.object.Name, err)
		}
		if err := copyObject(ctx, m.o.Objects, f.object, to); err != nil {
			return fmt.Errorf("copy gs://%s/%s: %w", f.object.Bucket, f.object.Name, err)
		}
	}
	for d := range folders {
		if err := syncFolder(d); err != nil {
			return err
		}
	}
	if err := os.Rename(temp, dir); err != nil {
		return fmt.Errorf("publish the copied model: %w", err)
	}
	// The folders above may be new as well.
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		if err := syncFolder(d); err != nil || d == m.o.Dir || len(d) < len(m.o.Dir) {
			return err
		}
	}
}

// Fetch copies the SavedModel at a gs:// address into dir, whole or not at all, as
// it is done for a version.
func (m *Manager) Fetch(ctx context.Context, uri, dir string) error { return m.fetch(ctx, uri, dir) }

// Link puts the files of a READY version into dir, whole or not at all: they are
// the same files, and stay when the version is deleted. If dir is there it has
// been done before.
func (m *Manager) Link(project, model, version, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	from, temp := filepath.Join(m.o.Dir, project, model, version), tempOf(dir)
	if err := os.RemoveAll(temp); err != nil {
		return fmt.Errorf("clear what an earlier copy left: %w", err)
	}
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(temp, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		return os.Link(path, to)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return ml.Errorf(ml.NotFound, "The files of version %s are gone: it was deleted.", ml.VersionName(project, model, version))
	}
	if err != nil {
		return fmt.Errorf("link the files of a version: %w", err)
	}
	return os.Rename(temp, dir)
}

// tempOf gives the folder that a model is copied into before it is whole.
func tempOf(dir string) string {
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".part")
}

// modelFile is an object and where it belongs below the model's folder.
type modelFile struct {
	object *object.Object
	path   string
}

// listModel gives the files of the SavedModel at uri.
func listModel(ctx context.Context, objects object.ObjectReader, uri string) ([]modelFile, error) {
	bucket, prefix, ok := ml.ObjectURI(uri)
	if !ok {
		return nil, ml.FieldErrorf("deploymentUri", "%q is not a gs://BUCKET/FOLDER address.", uri)
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	var files []modelFile
	for o := (object.ListOptions{Prefix: prefix}); ; {
		page, err := objects.List(ctx, bucket, o)
		if ml.KindOf(err) == ml.NotFound {
			return nil, &ml.Error{Kind: ml.NotFound, Message: fmt.Sprintf("There is no bucket %s (deploymentUri is %s).", bucket, uri), Err: err}
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", uri, err)
		}
		for _, object := range page.Objects {
			name := strings.TrimPrefix(object.Name, prefix)
			if name == "" || strings.HasSuffix(name, "/") {
				continue // stands for a folder, has no content
			}
			files = append(files, modelFile{object, name})
		}
		if page.Next == "" || len(files) > maxFiles {
			break
		}
		o.StartAfter = page.Next
	}
	return files, checkModel(files, "gs://"+bucket+"/"+prefix)
}

// checkModel says what is wrong with the files found in folder, and if it can,
// which folder was meant.
func checkModel(files []modelFile, folder string) error {
	if len(files) == 0 {
		return ml.Errorf(ml.NotFound, "There are no objects in %s.", folder)
	}
	var elsewhere []string
	for _, f := range files {
		dir, name := path.Split(f.path)
		if !slices.Contains(graphFiles, name) {
			continue
		}
		if dir == "" {
			elsewhere = nil
			break
		}
		elsewhere = append(elsewhere, folder+dir)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(files, func(f modelFile) bool { return f.path == name })
	}
	graph := slices.ContainsFunc(graphFiles, has)
	switch {
	case !graph && len(elsewhere) == 1:
		return ml.FieldErrorf("deploymentUri", "There is no saved_model.pb in %s, but there is one in %s: use that folder.", folder, elsewhere[0])
	case !graph && slices.ContainsFunc([]string{"model.joblib", "model.pkl", "model.bst"}, has):
		return ml.Errorf(ml.Unimplemented, "%s holds a scikit-learn or XGBoost model, which is not served here; export a TensorFlow SavedModel.", folder)
	case !graph:
		return ml.FieldErrorf("deploymentUri", "There is no saved_model.pb in %s; give the folder that tf.saved_model.save or model.export wrote.", folder)
	case len(files) > maxFiles:
		return ml.FieldErrorf("deploymentUri", "There are more than %d files in %s; a SavedModel of that many is not served.", maxFiles, folder)
	}
	for _, f := range files {
		if !filepath.IsLocal(f.path) || path.Clean(f.path) != f.path {
			return ml.FieldErrorf("deploymentUri", "The object %q in %s cannot be a file.", f.path, folder)
		}
	}
	return nil
}

// copyObject writes an object to a file, durably.
func copyObject(ctx context.Context, objects object.ObjectReader, o *object.Object, to string) (err error) {
	r, err := objects.Open(ctx, o.Bucket, o.Name)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrInvalid) {
		return ml.FieldErrorf("deploymentUri", "The object gs://%s/%s cannot be a file.", o.Bucket, o.Name)
	}
	if err != nil {
		return err
	}
	defer func() {
		if e := w.Close(); err == nil {
			err = e
		}
	}()
	if _, err := io.Copy(w, reader{ctx, r}); err != nil {
		return err
	}
	return w.Sync()
}

// reader ends reading when ctx ends.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}

// discard removes a model's files, whole or half copied.
func discard(dir string) error {
	if err := os.RemoveAll(tempOf(dir)); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}
