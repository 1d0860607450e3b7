package cli

import (
	"context"
	"slices"
	"strings"

	"hearth/cli/client"
	"hearth/ml"
)

// found is what a location stands for: an object, or a folder.
type found struct {
	bucket string
	// object is nil for a folder.
	object *client.Object
	// folder is what the names of all objects in a folder begin with.
	folder string
	// inside is what is in the folder, as deep as was asked for.
	inside client.Listing
}

func (f found) location() location {
	if f.object != nil {
		return location{bucket: f.bucket, object: f.object.Name}
	}
	return location{bucket: f.bucket, object: f.folder}
}

// depth says what of folders is wanted.
type depth int

const (
	// objectsOnly wants folders only where there are no objects.
	objectsOnly depth = iota
	oneLevel
	allBelow
)

// depthFor is allBelow for a recursive command.
func depthFor(recursive bool, otherwise depth) depth {
	if recursive {
		return allBelow
	}
	return otherwise
}

// find gives what a location stands for, ordered by name. NOT_FOUND if that is
// nothing.
func find(ctx context.Context, daemon *client.Client, at location, d depth) ([]found, error) {
	var all []found
	var err error
	if hasWildcard(at.object) {
		all, err = findMatches(ctx, daemon, at, d)
	}
	// Wildcards are characters too.
	if err == nil && len(all) == 0 {
		all, err = findNamed(ctx, daemon, at, d)
	}
	if err == nil && len(all) == 0 {
		err = ml.Errorf(ml.NotFound, "nothing is called %s", at)
	}
	return all, err
}

// findNamed gives the object of a name and the folder of that name.
func findNamed(ctx context.Context, daemon *client.Client, at location, d depth) ([]found, error) {
	var all []found
	if !at.folder() {
		object, err := daemon.Object(ctx, at.bucket, at.object)
		if err == nil {
			all = append(all, found{bucket: at.bucket, object: object})
		} else if ml.KindOf(err) != ml.NotFound {
			return nil, err
		}
	}
	if d == objectsOnly && len(all) > 0 {
		return all, nil
	}
	inside, err := daemon.List(ctx, at.bucket, at.prefix(), d == allBelow)
	if err != nil {
		return nil, err
	}
	if at.object == "" || len(inside.Objects)+len(inside.Folders) > 0 {
		all = append(all, found{bucket: at.bucket, folder: at.prefix(), inside: *inside})
	}
	return all, nil
}

// findMatches gives the objects and folders that a pattern matches. What is in
// these folders is given if all of it is wanted.
func findMatches(ctx context.Context, daemon *client.Client, at location, d depth) ([]found, error) {
	p := parsePattern(at.object)
	flat := d == allBelow || !p.level
	listing, err := daemon.List(ctx, at.bucket, p.prefix, flat)
	if err != nil {
		return nil, err
	}
	var all []found
	folders := map[string]int{}
	enter := func(folder string) *found {
		i, ok := folders[folder]
		if !ok {
			i = len(all)
			folders[folder] = i
			all = append(all, found{bucket: at.bucket, folder: folder})
		}
		return &all[i]
	}
	for i, o := range listing.Objects {
		switch matched, ok := p.match(o.Name); {
		case ok && strings.HasSuffix(matched, "/") && !p.deep:
			f := enter(matched)
			f.inside.Objects = append(f.inside.Objects, o)
		case ok:
			all = append(all, found{bucket: at.bucket, object: &listing.Objects[i]})
		}
	}
	for _, name := range listing.Folders {
		if matched, ok := p.match(name); ok {
			enter(matched)
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return strings.Compare(a.location().object, b.location().object) })
	return all, nil
}

// objectsOf gives all objects among what was found and in its folders.
func objectsOf(all []found) []client.Object {
	var objects []client.Object
	for _, f := range all {
		if f.object != nil {
			objects = append(objects, *f.object)
		}
		objects = append(objects, f.inside.Objects...)
	}
	return objects
}

// findObjects gives the objects that locations stand for. A folder is an error
// of the command line.
func findObjects(at *atObjects) ([]client.Object, error) {
	var objects []client.Object
	for _, l := range at.locations {
		all, err := find(at.c.Context, at.daemon, l, objectsOnly)
		if err != nil {
			return nil, err
		}
		before := len(objects)
		for _, f := range all {
			if f.object != nil {
				objects = append(objects, *f.object)
			}
		}
		if len(objects) == before {
			return nil, misuse(at.c, "%s is a folder", l)
		}
	}
	return objects, nil
}
