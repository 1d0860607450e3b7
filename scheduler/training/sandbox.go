package training

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hearth/ml"
)

// Rules say what of the machine the processes of jobs may touch.
type Rules struct {
	// Off lets them do whatever the daemon's user may.
	Off bool
	// FilesKept is true if the host can keep a process to certain files.
	FilesKept bool
	// Users are the first and the last user that jobs run as, each its own; 0
	// where the daemon cannot be more than one.
	Users [2]uint32
	// Read and Write are folders beside their own.
	Read, Write []string
}

// sandbox keeps a replica to its own folder and to what it runs from.
func (p Program) sandbox(own Scratch) *ml.Sandbox {
	if p.Rules.Off {
		return nil
	}
	return &ml.Sandbox{
		User:  p.User,
		Read:  slices.Concat(p.reads(), p.Rules.Read),
		Write: append([]string{string(own)}, p.Rules.Write...),
		Temp:  own.Temp(),
	}
}

// reads are what every replica of the job reads.
func (p Program) reads() []string {
	return append(p.Runtime.Folders(), p.Environment.Dir, p.Access.CABundle)
}

// Unreachable says why the job's processes cannot run as a user of their own,
// empty if they can: all that they read must be open to everybody.
func (p Program) Unreachable() string {
	for _, path := range append(p.reads(), filepath.Dir(string(p.Folder))) {
		if closed := closedFolder(path); closed != "" {
			return fmt.Sprintf("%s is closed to others, and %s is below it", closed, path)
		}
	}
	return ""
}

// closedFolder gives the first folder on the way to a path that others may not
// pass.
func closedFolder(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path
	}
	for at := "/"; ; {
		info, err := os.Stat(at)
		if err != nil || info.IsDir() && info.Mode()&0o001 == 0 || !info.IsDir() && info.Mode()&0o004 == 0 {
			return at
		}
		if at == real {
			return ""
		}
		next, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(real, at), "/"), "/")
		at = filepath.Join(at, next)
	}
}

// Give makes a task's scratch folder a user's own, with all that is in it.
func (s Scratch) Give(user uint32) error {
	if user == 0 {
		return nil
	}
	return filepath.WalkDir(string(s), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(user), int(user))
	})
}
