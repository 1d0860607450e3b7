package runtimes

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// layout is part of every key: environments that an older program laid out
// differently are not used.
const layout = "hearth environment 1"

// Key names the environment for a runtime and package archives in their order.
// It depends on what the archives hold, not on when they were packed: a source
// folder packed twice has one key.
func Key(r *Runtime, packages []string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n", layout, r.ID)
	for _, p := range packages {
		sum, err := contents(p)
		if err != nil {
			return "", fmt.Errorf("read package %s: %w", filepath.Base(p), err)
		}
		fmt.Fprintf(h, "%q %x\n", filepath.Base(p), sum)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// contents hashes what an archive holds. One that cannot be read as such is
// hashed as it is; pip will say what is wrong with it.
func contents(path string) ([]byte, error) {
	read := tarMembers
	if strings.HasSuffix(path, ".zip") || strings.HasSuffix(path, ".whl") {
		read = zipMembers
	}
	members, err := read(path)
	if err != nil {
		return fileSum(path)
	}
	slices.SortFunc(members, bytes.Compare)
	h := sha256.New()
	for _, m := range members {
		h.Write(m)
	}
	return h.Sum(nil), nil
}

func fileSum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}

// member starts the hash of one file of an archive.
func member(name, link string, mode os.FileMode) hash.Hash {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %t %t\n", name, link, mode.IsDir(), mode&0o111 != 0)
	return h
}

func tarMembers(path string) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var members [][]byte
	for t := tar.NewReader(z); ; {
		entry, err := t.Next()
		if err == io.EOF {
			return members, nil
		}
		if err != nil {
			return nil, err
		}
		h := member(entry.Name, entry.Linkname, entry.FileInfo().Mode())
		if _, err := io.Copy(h, t); err != nil {
			return nil, err
		}
		members = append(members, h.Sum(nil))
	}
}

func zipMembers(path string) ([][]byte, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var members [][]byte
	for _, entry := range z.File {
		h := member(entry.Name, "", entry.Mode())
		r, err := entry.Open()
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(h, r)
		r.Close()
		if err != nil {
			return nil, err
		}
		members = append(members, h.Sum(nil))
	}
	return members, nil
}
