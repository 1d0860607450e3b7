package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
)

// uploadTree uploads all files of a folder to their places below an object's
// name.
func uploadTree(c *cli.Context, daemon *client.Client, dir string, to location) error {
	job, err := newCopier(c, daemon)
	if err != nil {
		return err
	}
	p := &planner{c: c, daemon: daemon, to: to, into: true, recursive: true}
	plan, err := p.sources([]string{strings.TrimSuffix(dir, "/") + "/"})
	if err != nil {
		return err
	}
	return job.run(plan)
}

// downloadTree copies all objects below a gs:// folder to their places in a folder.
func downloadTree(c *cli.Context, daemon *client.Client, from, dir string) error {
	job, err := newCopier(c, daemon)
	if err != nil {
		return err
	}
	p := &planner{c: c, daemon: daemon, to: location{local: dir}, into: true, recursive: true}
	plan, err := p.sources([]string{strings.TrimSuffix(from, "/") + "/"})
	if err != nil {
		return err
	}
	return job.run(plan)
}

// eachFile visits the files below a folder in the order of their names, which
// are given with slashes. Links to files are followed, links to folders not.
func eachFile(dir string, visit func(path, name string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return visit(path, filepath.ToSlash(name), info)
	})
}

// hashTree gives the SHA-256 of a folder's files and their names.
func hashTree(dir string) (string, error) {
	all := sha256.New()
	err := eachFile(dir, func(path, name string, _ fs.FileInfo) error {
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
