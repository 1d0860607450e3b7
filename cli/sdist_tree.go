package cli

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// leftOut reports whether a folder or file is no part of a project's source:
// version control, caches, virtual environments, leftovers of other builds.
func leftOut(path string, d fs.DirEntry) bool {
	name := d.Name()
	switch {
	case name == ".git", name == ".hg", name == ".svn", name == "__pycache__", name == ".tox", name == ".ipynb_checkpoints":
		return true
	case strings.HasSuffix(name, ".egg-info"), strings.HasSuffix(name, ".pyc"):
		return true
	case d.IsDir():
		_, err := os.Stat(filepath.Join(path, "pyvenv.cfg"))
		return err == nil
	}
	return false
}

// copySource copies a project's source. Links are followed, as setuptools does
// it; what is neither file nor folder is left out.
func copySource(from, to string) error {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if d.Type()&fs.ModeSymlink != 0 {
			return copyLinked(path, target)
		}
		switch {
		case relative != "." && leftOut(path, d):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type().IsRegular():
			return copyFile(path, target)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("copy the package's source: %w", err)
	}
	return nil
}

// copyLinked copies the file behind a link. Linked folders are left out: they
// may lead anywhere, in circles too.
func copyLinked(link, target string) error {
	info, err := os.Stat(link)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return copyFile(link, target)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// packTree packs a copied project as NAME-0.0.0.tar.gz, with nothing in it
// that changes from one time to the next.
func packTree(b archiveBuild) (string, error) {
	path := filepath.Join(b.out, b.name+"-0.0.0.tar.gz")
	file, err := os.Create(path)
	if err != nil {
		return "", fmt.Errorf("pack the package: %w", err)
	}
	defer file.Close()
	zipped := gzip.NewWriter(file)
	archive := tar.NewWriter(zipped)
	err = filepath.WalkDir(b.tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(b.tree, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: b.name + "-0.0.0/" + filepath.ToSlash(relative), Mode: 0o644, Size: int64(len(content))}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err = archive.Write(content)
		return err
	})
	for _, finish := range []func() error{archive.Close, zipped.Close, file.Close} {
		if err == nil {
			err = finish()
		}
	}
	if err != nil {
		return "", fmt.Errorf("pack the package: %w", err)
	}
	return path, nil
}
