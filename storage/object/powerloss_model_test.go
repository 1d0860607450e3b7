//go:build linux && amd64

package object

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// What a disk may hold after a power cut, given the calls before it. What was
// synced is there. Of what was not, each sector of each write may be there or
// not, so may the growth of a file, and so may each change of each name in a
// folder, as long as the changes of one name come in their order. A sync makes
// a file's content durable, not its name; that takes a sync of the folder. A
// rename may leave both names, but never none.

// disk is a history of files and folders.
type disk struct {
	root  *inode
	nodes []*inode
	files map[int]*inode // by descriptor
	// whole has the syncs of everything.
	whole []span
}

// span is a sync: it covers what came before begin, once end is past.
type span struct{ begin, end int }

type inode struct {
	id     int
	folder bool
	data   []dataChange
	// names has the changes of each name in a folder, oldest first.
	names map[string][]*nameChange
	syncs []span
}

type dataChange struct {
	at       int
	offset   int64
	data     []byte
	truncate bool
}

// nameChange makes a name lead to an inode, or to nothing.
type nameChange struct {
	at   int
	to   *inode
	in   *inode
	name string
	// twin is the other half of a rename, for the half that removes.
	twin *nameChange
}

func newDisk() *disk {
	d := &disk{files: map[int]*inode{}}
	d.root = d.add(true)
	return d
}

func (d *disk) add(folder bool) *inode {
	n := &inode{id: len(d.nodes), folder: folder, names: map[string][]*nameChange{}}
	d.nodes = append(d.nodes, n)
	return n
}

// live gives what a name leads to now.
func (n *inode) live(name string) *inode {
	if c := n.names[name]; len(c) > 0 {
		return c[len(c)-1].to
	}
	return nil
}

func (n *inode) set(at int, name string, to *inode) *nameChange {
	c := &nameChange{at: at, to: to, in: n, name: name}
	n.names[name] = append(n.names[name], c)
	return c
}

// find gives the folder and the last part of a path below dir, and what it
// leads to now; nil for what is not there.
func (d *disk) find(dir, path string) (folder *inode, name string, n *inode) {
	rel, err := filepath.Rel(dir, filepath.Clean(path))
	if err != nil || strings.HasPrefix(rel, "..") {
		panic("a path from outside: " + path)
	}
	if rel == "." {
		return nil, "", d.root
	}
	folder = d.root
	parts := strings.Split(rel, "/")
	for _, p := range parts[:len(parts)-1] {
		if folder = folder.live(p); folder == nil {
			return nil, "", nil
		}
	}
	name = parts[len(parts)-1]
	return folder, name, folder.live(name)
}

// record adds the event number at.
func (d *disk) record(dir string, at int, e event) {
	switch e.Call {
	case "open":
		folder, name, n := d.find(dir, e.Path)
		switch {
		case n != nil:
		case folder != nil && e.Flags&unix.O_CREAT != 0:
			n = d.add(false)
			folder.set(at, name, n)
		default:
			n = d.add(true) // it was removed while it was opened
		}
		if e.Flags&unix.O_TRUNC != 0 {
			n.data = append(n.data, dataChange{at: at, truncate: true})
		}
		d.files[e.FD] = n
	case "dup":
		d.files[e.NewFD] = d.files[e.FD]
	case "close":
		delete(d.files, e.FD)
	case "write":
		n := d.files[e.FD]
		n.data = append(n.data, dataChange{at: at, offset: e.Offset, data: e.Data})
	case "truncate":
		n := d.files[e.FD]
		n.data = append(n.data, dataChange{at: at, offset: e.Offset, truncate: true})
	case "allocate":
		n := d.files[e.FD]
		n.data = append(n.data, dataChange{at: at, offset: e.Offset}) // a write of nothing at the end
	case "sync":
		n := d.files[e.FD]
		n.syncs = append(n.syncs, span{e.Begin, at})
	case "syncfs":
		d.whole = append(d.whole, span{e.Begin, at})
	case "mkdir":
		folder, name, _ := d.find(dir, e.Path)
		folder.set(at, name, d.add(true))
	case "unlink", "rmdir":
		folder, name, _ := d.find(dir, e.Path)
		folder.set(at, name, nil)
	case "link":
		_, _, n := d.find(dir, e.Path)
		folder, name, _ := d.find(dir, e.To)
		folder.set(at, name, n)
	case "rename":
		from, fromName, n := d.find(dir, e.Path)
		to, toName, old := d.find(dir, e.To)
		if old == n {
			return // two links of one file: nothing happens
		}
		set := to.set(at, toName, n)
		from.set(at, fromName, nil).twin = set
	}
}

// synced tells up to where the changes of an inode are durable at a cut.
func (d *disk) synced(n *inode, cut int) (upTo int) {
	for _, s := range slices.Concat(n.syncs, d.whole) {
		if s.end < cut {
			upTo = max(upTo, s.begin)
		}
	}
	return upTo
}

// fate decides what survives of what was not synced.
type fate struct {
	chance float64 // 0: nothing, 1: everything
	rnd    *rand.Rand
}

func (f fate) survives() bool {
	switch f.chance {
	case 0:
		return false
	case 1:
		return true
	}
	return f.rnd.Float64() < f.chance
}

// image is what a disk holds after a cut.
type image struct {
	root *inode
	// names has, for each folder, how many changes of each name survive.
	names map[*inode]map[string]int
	files map[*inode]bytesOf
}

// cut loses power before the event number at.
func (d *disk) cut(at int, f fate) *image {
	img := &image{root: d.root, names: map[*inode]map[string]int{}, files: map[*inode]bytesOf{}}
	for _, n := range d.nodes {
		upTo := d.synced(n, at)
		if !n.folder {
			img.files[n] = n.content(at, upTo, f)
			continue
		}
		img.names[n] = map[string]int{}
		for _, name := range sortedKeys(n.names) {
			for _, c := range n.names[name] {
				if c.at < at && (c.at < upTo || f.survives()) {
					img.names[n][name]++
				} else {
					break
				}
			}
		}
	}
	img.keepRenamed()
	return img
}

// keepRenamed sees to it that whoever lost a name in a rename has the other.
func (img *image) keepRenamed() {
	for changed := true; changed; {
		changed = false
		for n, names := range img.names {
			for name, survive := range names {
				for _, c := range n.names[name][:survive] {
					if c.twin == nil {
						continue
					}
					need := slices.Index(c.twin.in.names[c.twin.name], c.twin) + 1
					if have := img.names[c.twin.in]; have[c.twin.name] < need {
						have[c.twin.name] = need
						changed = true
					}
				}
			}
		}
	}
}

const sector = 512

// bytesOf is what a file holds: data, and zeros up to size.
type bytesOf struct {
	data []byte
	size int64
}

func (b *bytesOf) resize(size int64) {
	b.size = size
	b.data = b.data[:min(int64(len(b.data)), size)]
}

// put writes p at an offset, as far as the size allows.
func (b *bytesOf) put(p []byte, offset int64) {
	end := min(offset+int64(len(p)), b.size)
	if offset >= end {
		return
	}
	if grow := end - int64(len(b.data)); grow > 0 {
		b.data = append(b.data, make([]byte, grow)...)
	}
	copy(b.data[offset:end], p)
}

// content is what survives of a file.
func (n *inode) content(at, upTo int, f fate) (b bytesOf) {
	for _, c := range n.data {
		durable := c.at < upTo
		switch end := c.offset + int64(len(c.data)); {
		case c.at >= at:
			return b
		case c.truncate:
			if durable || f.survives() {
				b.resize(c.offset)
			}
		default:
			if end > b.size && (durable || f.survives()) {
				b.resize(end)
			}
			for o := c.offset; o < end; o = o - o%sector + sector {
				if next := min(end, o-o%sector+sector); durable || f.survives() {
					b.put(c.data[o-c.offset:next-c.offset], o)
				}
			}
		}
	}
	return b
}

// lookup gives what a name leads to.
func (img *image) lookup(n *inode, name string) *inode {
	if survive := img.names[n][name]; survive > 0 {
		return n.names[name][survive-1].to
	}
	return nil
}

// walk calls f with everything that can be reached, in order.
func (img *image) walk(n *inode, path string, f func(path string, n *inode) error) error {
	for _, name := range sortedKeys(img.names[n]) {
		to := img.lookup(n, name)
		if to == nil {
			continue
		}
		if err := f(filepath.Join(path, name), to); err != nil {
			return err
		}
		if to.folder {
			if err := img.walk(to, filepath.Join(path, name), f); err != nil {
				return err
			}
		}
	}
	return nil
}

// sum tells images apart.
func (img *image) sum() (sum [32]byte) {
	h := sha256.New()
	_ = img.walk(img.root, "", func(path string, n *inode) error {
		_, _ = fmt.Fprintf(h, "%q %d %d %d ", path, n.id, img.files[n].size, len(img.files[n].data))
		_, _ = h.Write(img.files[n].data)
		return nil
	})
	h.Sum(sum[:0])
	return sum
}

// write makes the image in dir.
func (img *image) write(dir string) error {
	first := map[*inode]string{}
	return img.walk(img.root, dir, func(path string, n *inode) error {
		if n.folder {
			return os.Mkdir(path, 0o700)
		}
		if old, ok := first[n]; ok {
			return os.Link(old, path)
		}
		first[n] = path
		if err := os.WriteFile(path, img.files[n].data, 0o600); err != nil {
			return err
		}
		return os.Truncate(path, img.files[n].size)
	})
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
