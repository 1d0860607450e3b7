package training

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"hearth/ml"
)

// Folder is an attempt's folder. Beside the folders of its processes it holds
// what they work with, which goes when the attempt ends.
type Folder string

// Scratch is where one process of the attempt works: nobody else does.
type Scratch string

// Scratch gives the folder in which a task works.
func (f Folder) Scratch(task string) Scratch { return Scratch(filepath.Join(f.scratch(), task)) }

// Work is the working folder.
func (s Scratch) Work() string { return filepath.Join(string(s), "work") }

// Temp is for temporary files. TensorFlow keeps each object there that it is
// writing, so it must not be a small /tmp.
func (s Scratch) Temp() string { return filepath.Join(string(s), "tmp") }

// Home is the home folder.
func (s Scratch) Home() string { return filepath.Join(string(s), "home") }

func (f Folder) scratch() string { return filepath.Join(string(f), "scratch") }

func (f Folder) packages() string { return filepath.Join(string(f), "packages") }

// EnvironmentSpec is where the specification of the environment is written.
func (f Folder) EnvironmentSpec() string { return filepath.Join(string(f), "environment-spec.json") }

// Prepare makes the folders in which the tasks work. What is there stays.
func (f Folder) Prepare(tasks ...string) error {
	dirs := []string{string(f), f.packages(), f.scratch()}
	for _, t := range tasks {
		s := f.Scratch(t)
		dirs = append(dirs, s.Work(), s.Temp(), s.Home())
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the attempt's folder: %w", err)
		}
	}
	// Users of their own must come to their folders, and see no others.
	return errors.Join(os.Chmod(string(f), 0o711), os.Chmod(f.scratch(), 0o711))
}

// Clear removes what only living processes need; logs and exit status stay.
func (f Folder) Clear() error {
	var errs []error
	for _, dir := range []string{f.scratch(), f.packages(), f.EnvironmentSpec()} {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

// Objects is the bucket that packages come from.
type Objects func(ctx context.Context, bucket, object string) (io.ReadCloser, error)

// Fetch copies the packages out of the bucket and gives their paths, in the
// same order. It may be repeated: a package that is there stays as it is, since
// an installer may be reading it.
func (f Folder) Fetch(ctx context.Context, open Objects, uris []string) ([]string, error) {
	var paths []string
	for i, uri := range uris {
		_, object, _ := ml.ObjectURI(uri)
		// Two packages may have one file name.
		p := filepath.Join(f.packages(), strconv.Itoa(i), path.Base(object))
		if _, err := os.Stat(p); errors.Is(err, fs.ErrNotExist) {
			err = fetch(ctx, open, uri, p)
			if err != nil {
				return nil, err
			}
		}
		paths = append(paths, p)
	}
	return paths, nil
}

func fetch(ctx context.Context, open Objects, uri, dst string) error {
	bucket, object, _ := ml.ObjectURI(uri)
	src, err := open(ctx, bucket, object)
	if shown := (*ml.Error)(nil); errors.As(err, &shown) {
		return &ml.Error{Kind: shown.Kind, Message: fmt.Sprintf("The package %s cannot be read: %s", uri, shown.Message), Err: err}
	}
	if err != nil {
		return fmt.Errorf("open package %s: %w", uri, err)
	}
	defer src.Close()
	if err := copyTo(dst, untilDone{ctx, src}); err != nil {
		return fmt.Errorf("fetch package %s: %w", uri, err)
	}
	return nil
}

// copyTo makes dst with what src holds, all of it or nothing.
func copyTo(dst string, src io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(dst), 0o700); err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(dst), ".fetch-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	_, err = io.Copy(out, src)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), dst)
}

// untilDone reads until the context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
