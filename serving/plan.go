package serving

import (
	"slices"
	"strings"

	"hearth/ml"
	"hearth/storage/metadata"
)

// goal is what is to be done about a version.
type goal int

const (
	nothing goal = iota
	// serve makes the version ready if it is not, and keeps a worker for it.
	serve
	// clean takes away what a FAILED version left.
	clean
	// remove takes away a version that is DELETING, its record last.
	remove
)

// goalOf says what a version in a state needs.
func goalOf(s ml.VersionState) goal {
	switch s {
	case ml.VersionCreating, ml.VersionReady, ml.VersionUpdating:
		return serve
	case ml.VersionFailed:
		return clean
	case ml.VersionDeleting:
		return remove
	}
	return nothing
}

// action begins a task, or, if begin is nothing, breaks off the one there is.
type action struct {
	key   key
	begin goal
}

// plan compares the versions that are wanted with what is being done. There is
// one task for a version at a time: one with another goal is broken off first,
// and the new one begins when it has ended. A clean that has ended stays among
// the tasks, so that it is done once.
func plan(wanted []metadata.VersionRecord, running map[key]*task) []action {
	var actions []action
	seen := map[key]bool{}
	for _, r := range wanted {
		k := keyOf(r)
		seen[k] = true
		want := goalOf(r.Version.State)
		t := running[k]
		switch {
		case t == nil || t.ended && t.goal != want:
			if want != nothing {
				actions = append(actions, action{k, want})
			}
		case !t.ended && t.goal != want:
			actions = append(actions, action{k, nothing})
		}
	}
	var gone []action
	for k, t := range running {
		if !seen[k] && !t.ended {
			gone = append(gone, action{k, nothing})
		}
	}
	slices.SortFunc(gone, func(a, b action) int { return strings.Compare(a.key.String(), b.key.String()) })
	return append(actions, gone...)
}
