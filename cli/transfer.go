package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

// uploadFile writes a local file, or standard input, to an object.
func uploadFile(c *cli.Context, daemon *client.Client, from, to location) error {
	in, size := c.App.Reader, int64(-1)
	if !from.stream() {
		file, err := os.Open(from.local)
		if err != nil {
			return fmt.Errorf("upload: %w", err)
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return fmt.Errorf("upload: %w", err)
		}
		in, size = file, info.Size()
	}
	notice(c, "%s -> %s", from, to)
	bar := byteBar(c, size, "")
	defer bar.Clear()
	_, err := daemon.Upload(c.Context, to.bucket, to.object, io.TeeReader(in, bar))
	return err
}

// uploadTree uploads all files of a folder to their places below an object's
// name.
func uploadTree(c *cli.Context, daemon *client.Client, dir string, to location) error {
	return eachFile(dir, func(path, name string) error {
		return uploadFile(c, daemon, location{local: path}, to.below(name))
	})
}

// download writes an object to a local file, or to standard output. The file
// appears only when it is whole.
func download(c *cli.Context, daemon *client.Client, from, to location) error {
	if to.stream() {
		return daemon.Download(c.Context, from.bucket, from.object, c.App.Writer)
	}
	notice(c, "%s -> %s", from, to)
	if err := os.MkdirAll(filepath.Dir(to.local), 0o777); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	part := to.local + ".part"
	file, err := os.Create(part)
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	defer os.Remove(part)
	defer file.Close()
	size := int64(-1)
	if showsProgress(c) {
		object, err := daemon.Object(c.Context, from.bucket, from.object)
		if err != nil {
			return err
		}
		size = int64(object.Size)
	}
	bar := byteBar(c, size, "")
	defer bar.Clear()
	if err := daemon.Download(c.Context, from.bucket, from.object, io.MultiWriter(file, bar)); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return os.Rename(part, to.local)
}

// eachFile visits the files below a folder in the order of their names, which
// are given with slashes. Links to files are followed, links to folders not.
func eachFile(dir string, visit func(path, name string) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return visit(path, filepath.ToSlash(name))
	})
}

// hashTree gives the SHA-256 of a folder's files and their names.
func hashTree(dir string) (string, error) {
	all := sha256.New()
	err := eachFile(dir, func(path, name string) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		one := sha256.New()
		if _, err := io.Copy(one, file); err != nil {
			return err
		}
		fmt.Fprintf(all, "%q %x\n", name, one.Sum(nil))
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read %s: %w", dir, err)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// baseOfFolder gives a folder's own name, also for "." and "..".
func baseOfFolder(dir string) string {
	if whole, err := filepath.Abs(dir); err == nil {
		dir = whole
	}
	return filepath.Base(dir)
}
