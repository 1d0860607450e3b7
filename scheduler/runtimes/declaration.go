package runtimes

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hearth/ml"
)

// declaration says what a runtime is made of. Its name is what jobs and
// versions call it.
type declaration struct {
	// tensorflow is the version that pip is asked for, such as 2.21.0 or 2.17.*;
	// empty if base has it.
	tensorflow string
	// base is the runtime that this one is layered on: it brings TensorFlow and
	// Python, so that this one takes no room for them again.
	base string
	// packages are what this runtime has beside TensorFlow, as pip is asked for
	// them.
	packages []string
	// environment holds variables that every job on the runtime gets.
	environment map[string]string
	// shim is a folder of files that go into the runtime, empty for none.
	shim string
}

// shipped are the runtimes that have been tried; other versions of TensorFlow
// are taken as they are.
var shipped = map[string]declaration{
	"2.21": {tensorflow: "2.21.0"},
	// Keras 2 for programs that Keras 3 does not run.
	"2.21-keras2": {
		base: "2.21", packages: []string{"tf-keras==2.21.0"},
		environment: map[string]string{"TF_USE_LEGACY_KERAS": "1"},
	},
	// The last one with estimators, and with Keras 2 of its own.
	"2.15": {tensorflow: "2.15.1"},
	// TensorFlow 1's names on 2.15, with what the service's runtime 1.15 had
	// beside it and trainers import.
	"1.15": {
		base: "2.15", packages: []string{"scikit-learn==1.4.2", "pandas==2.2.3"},
		shim: "tensorflow1",
	},
}

// oldest TensorFlow that a runtime may have: 2.oldestMinor.
const oldestMinor = 15

// declare gives what a runtime of that name is made of: INVALID_ARGUMENT if
// nobody knows.
func declare(name string) (declaration, error) {
	if d, ok := shipped[name]; ok {
		return d, nil
	}
	names := strings.Join(slices.Sorted(maps.Keys(shipped)), ", ")
	m := versionPattern.FindStringSubmatch(name)
	if m == nil {
		return declaration{}, ml.Errorf(ml.InvalidArgument, "%q is neither a runtime that is known (%s) nor a version of TensorFlow such as 2.18 or 2.18.1.", name, names)
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if major < 2 || major == 2 && minor < oldestMinor {
		return declaration{}, ml.Errorf(ml.InvalidArgument, "TensorFlow %s is too old; there are %s, and versions from 2.%d on.", name, names, oldestMinor)
	}
	if m[3] == "" {
		return declaration{tensorflow: name + ".*"}, nil
	}
	return declaration{tensorflow: name}, nil
}

// requirement is what pip is asked for to have the declaration's TensorFlow.
func (d declaration) requirement(cuda bool) string {
	if cuda {
		return "tensorflow[and-cuda]==" + d.tensorflow
	}
	return "tensorflow==" + d.tensorflow
}

// pythons are the oldest and the newest 3.x that each TensorFlow 2.x has wheels
// for, from the files of its releases.
var pythons = map[int][2]int{
	15: {9, 11}, 16: {9, 12}, 17: {9, 12}, 18: {9, 12}, 19: {9, 12}, 20: {9, 13}, 21: {10, 13},
}

// pythons gives the oldest and the newest Python 3.x that fit; ok is false if
// nobody knows.
func (d declaration) pythons() (fit [2]int, ok bool) {
	var major, minor int
	if n, _ := fmt.Sscanf(d.tensorflow, "%d.%d", &major, &minor); n != 2 || major != 2 {
		return fit, false
	}
	fit, ok = pythons[minor]
	return fit, ok
}
