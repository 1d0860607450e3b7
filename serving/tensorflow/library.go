package tensorflow

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

static char* hearth_dlopen(const char* path) {
	return dlopen(path, RTLD_NOW | RTLD_GLOBAL) ? NULL : dlerror();
}
*/
import "C"

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	tf "github.com/tensorflow/tensorflow/tensorflow/go"

	"hearth/ml"
)

// libraries are the files of a TensorFlow wheel that hold the C API, in the
// order of loading: the second needs the first.
var libraries = []string{"libtensorflow_framework.so.2", "libtensorflow_cc.so.2"}

// loaded is the folder whose library this process uses, empty before there is one.
var loaded struct {
	sync.Mutex
	dir string
}

// LoadLibrary brings the TensorFlow library of a runtime into the process. dir
// is the folder of the tensorflow package, …/site-packages/tensorflow. Calling
// it again with the same folder does nothing; another folder is a
// FAILED_PRECONDITION, as is a folder without the library.
func LoadLibrary(dir string) error {
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.dir == dir {
		return nil
	}
	if loaded.dir != "" {
		return ml.Errorf(ml.FailedPrecondition, "this process already uses the TensorFlow of %s, not that of %s", loaded.dir, dir)
	}
	for _, name := range libraries {
		if err := open(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	loaded.dir = dir
	return nil
}

// open makes the symbols of a shared library known to the whole process.
func open(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return ml.Errorf(ml.FailedPrecondition, "no TensorFlow runtime in %s: %s is missing; install one with \"hearth runtimes install\"",
			filepath.Dir(path), filepath.Base(path))
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	if reason := C.hearth_dlopen(name); reason != nil {
		return ml.Errorf(ml.FailedPrecondition, "load the TensorFlow library: %s", C.GoString(reason))
	}
	return nil
}

// Version gives the version of the loaded TensorFlow, for example "2.21.0", and
// the empty string before [LoadLibrary].
func Version() string {
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.dir == "" {
		return ""
	}
	return tf.Version()
}

// requireLibrary is the error of whoever comes before LoadLibrary; without it
// the first call into the library would end the process.
func requireLibrary() error {
	if Version() == "" {
		return ml.Errorf(ml.FailedPrecondition, "no TensorFlow library is loaded")
	}
	return nil
}
