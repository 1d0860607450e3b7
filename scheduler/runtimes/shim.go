package runtimes

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

// shims are files that go into the packages' folder of runtimes, each below the
// name of its shim.
//
//go:embed all:shims
var shims embed.FS

// installShim copies a shim into a folder of packages.
func installShim(site, name string) error {
	files, err := shims.ReadDir("shims/" + name)
	if err != nil || len(files) == 0 {
		return fmt.Errorf("there is no shim %s: %w", name, err)
	}
	return copyShim("shims/"+name, site)
}

func copyShim(from, to string) error {
	entries, err := shims.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		src, dst := from+"/"+e.Name(), filepath.Join(to, e.Name())
		if e.IsDir() {
			err = copyShim(src, dst)
		} else {
			var b []byte
			if b, err = shims.ReadFile(src); err == nil {
				err = os.WriteFile(dst, b, 0o644)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
