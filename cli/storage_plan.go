package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

// transfer is one thing to be copied.
type transfer struct {
	from, to location
	// size is in bytes, -1 if it is not known beforehand.
	size int64
	// object is what is known of a source in the bucket.
	object client.Object
	// modified, if not zero, is the source's time, which the copy shall keep.
	modified time.Time
	// refused says why this cannot be copied.
	refused error
}

// planner finds out what is to be copied where.
type planner struct {
	c      *cli.Context
	daemon *client.Client
	to     location
	// into says that the destination takes things in under their own names.
	into bool
	// recursive says that folders count with all that is in them.
	recursive bool
	// rename says that a folder may become the destination itself.
	rename bool
	// roots are the things that stand below the destination.
	roots int
	plan  []transfer
}

func newPlanner(c *cli.Context, daemon *client.Client, destination string) (*planner, error) {
	to, err := parseLocation(c, destination)
	if err != nil {
		return nil, err
	}
	return &planner{c: c, daemon: daemon, to: to, into: to.folder() || isFolder(to), recursive: c.Bool("recursive")}, nil
}

func isFolder(l location) bool {
	if l.remote() || l.stream() {
		return false
	}
	info, err := os.Stat(l.local)
	return err == nil && info.IsDir()
}

// sources plans the copy of all sources. A source that is not there fails the
// whole plan.
func (p *planner) sources(given []string) ([]transfer, error) {
	for _, source := range given {
		from, err := parseLocation(p.c, source)
		if err != nil {
			return nil, err
		}
		if from.remote() {
			err = p.addRemote(from)
		} else {
			err = p.addLocal(from)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(p.plan) == 0 {
		return nil, ml.Errorf(ml.NotFound, "there is nothing to copy in %s", strings.Join(given, " "))
	}
	if p.roots > 1 && !p.into && !p.to.stream() {
		return nil, misuse(p.c, "several sources need a folder as destination: write %s/", p.to)
	}
	return p.plan, p.checkTargets()
}

// checkTargets refuses a plan that would write one thing over another.
func (p *planner) checkTargets() error {
	sources := map[location]location{}
	for _, t := range p.plan {
		if t.refused != nil || t.to.stream() {
			continue
		}
		if other, ok := sources[t.to]; ok {
			return misuse(p.c, "%s and %s would both become %s", other, t.from, t.to)
		}
		sources[t.to] = t.from
	}
	return nil
}

func (p *planner) addRemote(from location) error {
	all, err := find(p.c.Context, p.daemon, from, depthFor(p.recursive, objectsOnly))
	if err != nil {
		return err
	}
	for _, f := range all {
		switch {
		case f.object != nil:
			p.addObject(*f.object)
		case p.recursive:
			p.addFolder(f, from.folder())
		case !hasWildcard(from.object):
			return misuse(p.c, "%s is a folder: copy it with -r", from)
		default:
			notice(p.c, "Omitting the folder %s: copy it with -r", f.location())
		}
	}
	return nil
}

func (p *planner) addObject(o client.Object) {
	p.roots++
	t := transfer{from: location{bucket: o.Bucket, object: o.Name}, to: p.to, size: int64(o.Size), object: o}
	if p.into {
		t.to, t.refused = place(p.to, o.Name[strings.LastIndexByte(o.Name, '/')+1:], o)
	}
	p.plan = append(p.plan, t)
}

// addFolder plans the copy of what is in a folder; bare leaves its own name
// out.
func (p *planner) addFolder(f found, bare bool) {
	p.roots++
	name := ""
	if !bare && (p.into || !p.rename) {
		name = f.location().base() + "/"
	}
	for _, o := range f.inside.Objects {
		below := name + strings.TrimPrefix(o.Name, f.folder)
		if !p.to.remote() && isMarker(o) {
			continue
		}
		t := transfer{from: location{bucket: o.Bucket, object: o.Name}, size: int64(o.Size), object: o}
		t.to, t.refused = place(p.to, below, o)
		p.plan = append(p.plan, t)
	}
}

// isMarker reports whether an object only says that there is a folder. Such
// ones make no files.
func isMarker(o client.Object) bool { return o.Size == 0 && strings.HasSuffix(o.Name, "/") }

// place gives the place of an object below a location by a part of its name.
// Names that would leave a local folder, or that no file can have, are refused.
func place(to location, name string, o client.Object) (location, error) {
	switch {
	case to.remote():
		return to.below(name), nil
	case to.stream():
		return to, nil
	}
	if !filepath.IsLocal(name) || path.Clean(name) != name || strings.ContainsRune(name, 0) {
		return to, ml.Errorf(ml.InvalidArgument, "%s has no place in the folder %s: no file can be called %q there", o.URI(), to, name)
	}
	return to.below(name), nil
}

func (p *planner) addLocal(from location) error {
	if !p.to.remote() {
		return misuse(p.c, "neither %s nor %s is in a bucket", from, p.to)
	}
	if from.stream() {
		if p.into {
			return misuse(p.c, "what comes from standard input needs a name: %s is a folder", p.to)
		}
		p.roots++
		p.plan = append(p.plan, transfer{from: from, to: p.to, size: -1})
		return nil
	}
	_, err := os.Stat(from.local)
	if errors.Is(err, fs.ErrNotExist) && hasWildcard(from.local) {
		matches, err := localMatches(from.local)
		for _, m := range matches {
			if err := p.addPath(location{local: m}, true); err != nil {
				return err
			}
		}
		if err != nil || len(matches) > 0 {
			return err
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return ml.Errorf(ml.NotFound, "there is no file %s", from)
	}
	return p.addPath(from, false)
}

// addPath plans the copy of a local file or folder.
func (p *planner) addPath(from location, matched bool) error {
	info, err := os.Stat(from.local)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if info.IsDir() {
		switch {
		case p.recursive:
			return p.addTree(from)
		case !matched:
			return misuse(p.c, "%s is a folder: copy it with -r", from)
		}
		notice(p.c, "Omitting the folder %s: copy it with -r", from)
		return nil
	}
	p.roots++
	t := transfer{from: from, to: p.to, size: info.Size()}
	if !info.Mode().IsRegular() {
		t.size = -1
	}
	if p.into {
		t.to = p.to.below(from.base())
	}
	p.plan = append(p.plan, t)
	return nil
}

func (p *planner) addTree(from location) error {
	to := p.to
	if !from.folder() && (p.into || !p.rename) {
		to = to.below(baseOfFolder(from.local))
	}
	p.roots++
	return eachFile(from.local, func(path, name string, info fs.FileInfo) error {
		p.plan = append(p.plan, transfer{from: location{local: path}, to: to.below(name), size: info.Size()})
		return nil
	})
}
