package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// change is one operation of a writer, as what it makes of names: their new
// content, nil where the object goes.
type change struct {
	what  string
	after map[string][]byte
	// from and to are the names of a move.
	from, to string
}

// piecewise is an upload in pieces under way.
type piecewise struct {
	session, name string
	content       []byte
	// acknowledged bytes are held for certain, sent ones may be.
	acknowledged, sent int
}

// writer changes the names below its prefix until the server is gone, and knows
// then what must be there and what may be.
type writer struct {
	api    *bucketAPI
	rnd    *rand.Rand
	prefix string
	known  map[string][]byte // acknowledged
	unsure *change           // what was under way when the server went
	upload *piecewise
	count  int
}

var writerNames = []string{"a", "a/b", "a//b", "x/../y", "b/", "ü", "c", strings.Repeat("n", 1000)}

// Kills the daemon, or the server behind it, again and again while eight
// clients write.
func TestBucket_KilledAtRandomMoments(t *testing.T) {
	kills := 10
	if long() {
		kills = 200
	}
	onBackends(t, func(t *testing.T, b *backend) {
		d := newDaemonOn(t, b)
		d.must("storage", "buckets", "create", "gs://kill")
		rnd := rand.New(rand.NewPCG(5, 5))
		writers := make([]*writer, 8)
		for i := range writers {
			writers[i] = &writer{rnd: rand.New(rand.NewPCG(6, uint64(i))), prefix: fmt.Sprintf("w%d/", i), known: map[string][]byte{}}
		}
		for kill := range kills {
			var wg sync.WaitGroup
			failures := make(chan error, len(writers))
			for _, w := range writers {
				w.api = d.bucketAPI("kill")
				wg.Go(func() {
					if err := w.run(); err != nil {
						failures <- err
					}
				})
			}
			<-time.After(time.Duration(20+rnd.IntN(400)) * time.Millisecond) // the random moment
			if b.server != nil && rnd.IntN(2) == 0 {
				b.server.kill()
				wg.Wait()
				b.server.start()
			} else {
				d.kill()
				wg.Wait()
				d.restart()
			}
			close(failures)
			for err := range failures {
				t.Error(err)
			}
			d.checkWriters(b, writers)
			if t.Failed() {
				t.Fatalf("after kill %d", kill)
			}
		}
		total := 0
		for _, w := range writers {
			total += w.count
		}
		t.Logf("%d kills, %d acknowledged changes", kills, total)
		if total < 10*kills {
			t.Errorf("only %d changes were made", total)
		}
	})
}

// run makes changes until the server is gone. An answer that is neither a
// success nor says that the server is gone is an error.
func (w *writer) run() error {
	for {
		c, send := w.next()
		a, err := send()
		if err != nil || a.status == http.StatusServiceUnavailable {
			w.unsure = c
			return nil
		}
		if a.status >= 300 && a.status != http.StatusPermanentRedirect {
			w.unsure = c
			return fmt.Errorf("%s: %v", c.what, a)
		}
		w.apply(c)
		w.count++
	}
}

func (w *writer) apply(c *change) {
	for name, content := range c.after {
		if content == nil {
			delete(w.known, name)
		} else {
			w.known[name] = content
		}
	}
}

func (w *writer) bytes() []byte {
	b := make([]byte, 1+w.rnd.IntN(20_000))
	for i := range b {
		b[i] = byte(w.rnd.Uint32())
	}
	return b
}

// next draws a change and what sends it.
func (w *writer) next() (*change, func() (*answer, error)) {
	name := w.prefix + writerNames[w.rnd.IntN(len(writerNames))]
	from, exists := "", false
	for n := range w.known {
		if !strings.HasSuffix(n, "/uploaded") && n != name {
			from, exists = n, true
			break
		}
	}
	api, path := w.api, func(n string) string { return w.api.object(n) }
	n := w.rnd.IntN(10)
	switch {
	case n < 3 || n < 8 && !exists:
		content := w.bytes()
		return &change{what: "put " + name, after: map[string][]byte{name: content}},
			func() (*answer, error) { return api.put(name, nil, content, "x/y") }
	case n < 4:
		return &change{what: "delete " + from, after: map[string][]byte{from: nil}},
			func() (*answer, error) { return api.do("DELETE", path(from), nil, nil) }
	case n < 6:
		to := "/copyTo/b/" + api.bucket + "/o/" + url.PathEscape(name)
		return &change{what: "copy to " + name, after: map[string][]byte{name: w.known[from]}},
			func() (*answer, error) { return api.do("POST", path(from)+to, nil, nil) }
	case n < 7:
		return &change{what: "move " + from + " to " + name, after: map[string][]byte{from: nil, name: w.known[from]}, from: from, to: name},
			func() (*answer, error) {
				return api.do("POST", path(from)+"/moveTo/o/"+url.PathEscape(name), nil, nil)
			}
	case n < 8:
		content := slices.Concat(w.known[from], w.known[from])
		if len(content) > 1<<20 {
			content = w.known[from]
		}
		body, _ := json.Marshal(map[string]any{"sourceObjects": slices.Repeat([]map[string]string{{"name": from}}, len(content)/max(1, len(w.known[from])))})
		return &change{what: "compose " + name, after: map[string][]byte{name: content}},
			func() (*answer, error) {
				return api.do("POST", path(name)+"/compose", nil, body, "Content-Type", "application/json")
			}
	}
	return w.nextPiece()
}

// nextPiece begins an upload or goes on with the one under way.
func (w *writer) nextPiece() (*change, func() (*answer, error)) {
	if w.upload == nil {
		u := &piecewise{name: w.prefix + "uploaded", content: bytes.Repeat(w.bytes(), 100)}
		return &change{what: "begin an upload"}, func() (*answer, error) {
			a, err := w.api.begin(u.name, nil, "x/y")
			if err == nil && a.status == http.StatusOK {
				u.session = a.header.Get("Location")
				w.upload = u
			}
			return a, err
		}
	}
	u := w.upload
	from, to := u.acknowledged, min(u.acknowledged+256<<10, len(u.content))
	u.sent = to
	c := &change{what: "a piece of an upload"}
	if to == len(u.content) {
		c.after = map[string][]byte{u.name: u.content}
	}
	return c, func() (*answer, error) {
		a, err := w.api.piece(u.session, u.content, from, to)
		switch {
		case err != nil:
		case a.status == http.StatusPermanentRedirect:
			u.acknowledged = a.held()
		case a.status == http.StatusOK:
			w.upload = nil
		}
		return a, err
	}
}

// checkWriters looks whether all that was acknowledged is there, and nothing
// else but what may be.
func (d *daemon) checkWriters(b *backend, writers []*writer) {
	d.t.Helper()
	want := map[string]*resource{}
	for _, w := range writers {
		w.api = d.bucketAPI("kill")
		if err := w.settle(want); err != nil {
			d.t.Errorf("%s: %v", w.prefix, err)
		}
	}
	items, _, err := d.bucketAPI("kill").list(nil)
	check(d.t, err)
	for _, r := range items {
		w := want[r.Name]
		if w == nil {
			d.t.Errorf("%q is listed and cannot be read", r.Name)
		} else if w.Size != r.Size || w.CRC32C != r.CRC32C {
			d.t.Errorf("%q is listed as %+v and reads as %+v", r.Name, r, w)
		}
		delete(want, r.Name)
	}
	for name := range want {
		d.t.Errorf("%q can be read and is not listed", name)
	}
	d.checkLitter(b, len(items))
}

// settle finds out what became of what was under way, and reads everything.
func (w *writer) settle(found map[string]*resource) error {
	if err := w.settleUpload(); err != nil {
		return err
	}
	unsure := w.unsure
	if unsure == nil {
		unsure = &change{}
	}
	w.unsure = nil
	moved := w.known[unsure.from]
	for _, suffix := range append(writerNames, "uploaded") {
		name := w.prefix + suffix
		a, err := w.api.do("GET", w.api.object(name), url.Values{"alt": {"media"}}, nil)
		if err != nil {
			return err
		}
		got := a.body
		switch {
		case a.status == http.StatusNotFound:
			got = nil
		case a.status != http.StatusOK:
			return fmt.Errorf("read %q: %v", name, a)
		default:
			found[name] = &resource{Size: int64(len(got)), CRC32C: crc32c(string(got))}
		}
		after, touched := unsure.after[name]
		if !bytes.Equal(got, w.known[name]) && (!touched || !bytes.Equal(got, after)) {
			return fmt.Errorf("%q has %d bytes; acknowledged were %d, under way was %q with %d", name, len(got), len(w.known[name]), unsure.what, len(after))
		}
		w.apply(&change{after: map[string][]byte{name: got}})
	}
	if unsure.from != "" && !bytes.Equal(w.known[unsure.from], moved) && !bytes.Equal(w.known[unsure.to], moved) {
		return fmt.Errorf("%s lost the object", unsure.what)
	}
	return nil
}

// settleUpload asks how far an unfinished upload is. What was acknowledged of
// it must be there.
func (w *writer) settleUpload() error {
	u := w.upload
	if u == nil {
		return nil
	}
	a, err := w.api.piece(u.session, u.content, len(u.content), len(u.content))
	switch {
	case err != nil:
		return err
	case a.status == http.StatusPermanentRedirect && a.held() >= u.acknowledged && a.held() <= u.sent:
		u.acknowledged = a.held()
		return nil
	case a.status == http.StatusOK && u.sent == len(u.content):
		w.known[u.name], w.upload = u.content, nil
		return nil
	}
	return fmt.Errorf("an upload with %d bytes acknowledged and %d sent of %d: %v, %d held", u.acknowledged, u.sent, len(u.content), a, a.held())
}

// checkLitter looks for files that nothing accounts for.
func (d *daemon) checkLitter(b *backend, objects int) {
	d.t.Helper()
	entries, err := os.ReadDir(d.data)
	check(d.t, err)
	for _, e := range entries {
		if !slices.Contains(dataEntries, e.Name()) {
			d.t.Errorf("the data folder has an unknown entry %s", e.Name())
		}
	}
	if b.server != nil {
		return
	}
	files := 0
	check(d.t, filepath.WalkDir(filepath.Join(d.data, "objects"), func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(filepath.Join(d.data, "objects"), path)
		switch top, _, below := strings.Cut(rel, "/"); {
		case err != nil || e.IsDir():
		case top == ".tmp":
			d.t.Errorf("%s is left", rel)
		case below && top != ".uploads":
			files++
		}
		return err
	}))
	if files != objects {
		d.t.Errorf("%d files for %d objects", files, objects)
	}
}

// dataEntries is what docs/formats.md says may be in a data folder.
var dataEntries = []string{
	"hearth.db", "hearth.lock", "owner.token", "jobs.key", "tls", "objects", "objects-minio", "lineage", "attempts", "runtimes", "environments", "models",
	"hearth.toml", // these tests keep their configuration there
}
