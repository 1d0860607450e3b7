package object

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
)

func openLocal(t *testing.T, dir string, o LocalOptions) *Local {
	t.Helper()
	if o.Log.GetLevel() == zerolog.DebugLevel {
		o.Log = zerolog.Nop()
	}
	l, err := OpenLocal(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestLocal_Store(t *testing.T) {
	testStore(t, func(t *testing.T) Store {
		t.Parallel()
		l := openLocal(t, t.TempDir(), LocalOptions{})
		t.Cleanup(func() { checkFiles(t, l) })
		return l
	})
}

// reporter is what checkFiles needs of a test.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// checkFiles holds the files against the index: each object has its file, and
// there is nothing else, neither files nor empty folders.
func checkFiles(t reporter, l *Local) {
	t.Helper()
	want, may := map[string]bool{}, map[string]bool{}
	folders := map[string]bool{".": true, stageDir: true, uploadDir: true}
	add := func(path string) {
		for d := filepath.Dir(path); !folders[d]; d = filepath.Dir(d) {
			folders[d] = true
		}
	}
	err := l.view(func(x index) error {
		c := x.tx.Bucket(bktUploads).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			r, err := x.upload(string(k))
			if err != nil {
				return err
			}
			if path := filepath.Join(uploadDir, string(k)); r.Done == nil {
				may[path] = true
				if r.Size > 0 {
					want[path] = true
				}
			}
		}
		return x.tx.Bucket(bktObjects).ForEachBucket(func(b []byte) error {
			folders[string(b)] = true
			return x.tx.Bucket(bktObjects).Bucket(b).ForEach(func(k, v []byte) error {
				r, err := decodeRecord(v)
				if err != nil {
					return err
				}
				path := filepath.Join(string(b), r.Path)
				want[path] = true
				add(path)
				data, err := os.ReadFile(filepath.Join(l.dir, path))
				if err != nil || int64(len(data)) != r.Size {
					t.Errorf("%q: %d bytes, %v; want %d", k, len(data), err, r.Size)
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(l.dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && !folders[rel]:
			t.Errorf("the folder %q is empty", rel)
		case !d.IsDir() && rel != indexFile && rel != spareFile && !want[rel] && !may[rel]:
			t.Errorf("the file %q is litter", rel)
		}
		delete(want, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range want {
		t.Errorf("the file %q is missing", path)
	}
}

func TestLocal_FilesLookLikeNames(t *testing.T) {
	l := openLocal(t, t.TempDir(), LocalOptions{})
	newBucket(t, l)
	for _, n := range []string{"x/y", "a", "a/b", "c/d", "c", "folder/", "e f", "x//y"} {
		put(t, l, n, n)
	}
	for path, content := range map[string]string{
		"x/y": "x/y", "a": "a", ".escaped/a%2Fb": "a/b", "c/d": "c/d", ".escaped/c": "c", ".escaped/folder%2F": "folder/", "e f": "e f", ".escaped/x%2F%2Fy": "x//y",
	} {
		if b, err := os.ReadFile(filepath.Join(l.dir, "data", path)); err != nil || string(b) != content {
			t.Errorf("%s holds %q, %v", path, b, err)
		}
	}
	checkFiles(t, l)
}

func TestLocal_FilesOfOthers(t *testing.T) {
	l := openLocal(t, t.TempDir(), LocalOptions{})
	newBucket(t, l)
	if err := os.MkdirAll(filepath.Join(l.dir, "data/a/folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.dir, "data/b"), []byte("by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, l, "a", "1")
	put(t, l, "b/c", "2")
	if get(t, l, "a") != "1" || get(t, l, "b/c") != "2" {
		t.Fatal("content differs")
	}
	if b, err := os.ReadFile(filepath.Join(l.dir, "data/b")); err != nil || string(b) != "by hand" {
		t.Fatalf("got %q, %v", b, err)
	}
	// Whoever clears the folder away loses the objects, and learns it.
	put(t, l, "d/e", "3")
	if err := os.RemoveAll(filepath.Join(l.dir, "data/d")); err != nil {
		t.Fatal(err)
	}
	_, err := l.Open(t.Context(), "data", "d/e")
	wantKind(t, err, ml.DataLoss)
	put(t, l, "d/e", "4")
	if get(t, l, "d/e") != "4" {
		t.Fatal("content differs")
	}
	if err := os.WriteFile(filepath.Join(l.dir, "data/d/e"), []byte("longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = l.Open(t.Context(), "data", "d/e")
	wantKind(t, err, ml.DataLoss)
}

func TestLocal_Reopen(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir, LocalOptions{})
	newBucket(t, l)
	o := put(t, l, "a/b", "kept")
	id := begin(t, l, PutRequest{Name: "up", Attributes: Attributes{ContentType: "a/b"}})
	if _, err := l.AppendUpload(t.Context(), id, Chunk{Length: 4, Total: -1, Body: strings.NewReader("0123")}); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLocal(dir, LocalOptions{}); ml.KindOf(err) != ml.FailedPrecondition {
		t.Fatalf("a second opener got %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// What was behind the durable part of an upload does not count.
	f, err := os.OpenFile(filepath.Join(dir, uploadDir, id), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("junk, longer than what comes"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	l = openLocal(t, dir, LocalOptions{})
	if now, err := l.Stat(t.Context(), "data", "a/b"); err != nil || now.Generation != o.Generation || get(t, l, "a/b") != "kept" {
		t.Fatalf("got %+v, %v", now, err)
	}
	u, err := l.AppendUpload(t.Context(), id, Chunk{Offset: 4, Length: 4, Total: 8, Body: strings.NewReader("4567")})
	if err != nil || u.Object == nil || get(t, l, "up") != "01234567" || u.Object.ContentType != "a/b" {
		t.Fatalf("got %+v, %v", u, err)
	}
	if err := u.Object.check("01234567"); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, l)
}

// check compares an object's sums with a content.
func (o *Object) check(content string) error {
	d := newDigest()
	_, _ = d.Write([]byte(content))
	s := d.sums()
	if o.Size != s.size || o.CRC32C != s.crc32c || o.MD5 != nil && string(o.MD5) != string(s.md5) {
		return fmt.Errorf("the sums of %s are not those of its content", o.Name)
	}
	return nil
}

func TestLocal_Reserve(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir, LocalOptions{})
	newBucket(t, l)
	put(t, l, "x", "content")
	id := begin(t, l, PutRequest{Name: "up"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLocal(t, dir, LocalOptions{ReserveBytes: 1 << 60})
	ctx := t.Context()
	_, err := l.Put(ctx, PutRequest{Bucket: "data", Name: "y"}, strings.NewReader("content"))
	wantKind(t, err, ml.ResourceExhausted)
	_, err = l.AppendUpload(ctx, id, Chunk{Length: 1, Total: -1, Body: strings.NewReader("c")})
	wantKind(t, err, ml.ResourceExhausted)
	_, err = l.Compose(ctx, ComposeRequest{Bucket: "data", Name: "y", Sources: []ComposeSource{{Name: "x"}}})
	wantKind(t, err, ml.ResourceExhausted)
	if get(t, l, "x") != "content" {
		t.Fatal("content differs")
	}
	if err := l.Delete(ctx, "data", "x", Conditions{}); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, l)
}

func TestLocal_Sweep(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir, LocalOptions{})
	newBucket(t, l)
	age := func(id string, by time.Duration) {
		err := l.update(func(x index) error {
			r, err := x.upload(id)
			if err != nil {
				return err
			}
			r.Updated = r.Updated.Add(-by)
			return x.put(bktUploads, []byte(id), r)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	started := func() string {
		id := begin(t, l, PutRequest{Name: "up"})
		if _, err := l.AppendUpload(t.Context(), id, Chunk{Length: 1, Total: -1, Body: strings.NewReader("c")}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	fresh, old, done := started(), started(), started()
	if _, err := l.AppendUpload(t.Context(), done, Chunk{Total: 1}); err != nil {
		t.Fatal(err)
	}
	age(fresh, uploadLife-time.Hour)
	age(old, uploadLife+time.Hour)
	age(done, finishedLife+time.Minute)
	if err := os.WriteFile(filepath.Join(dir, uploadDir, "nobody"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.sweepUploads(); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]ml.Kind{fresh: ml.OK, old: ml.NotFound, done: ml.NotFound} {
		_, err := l.Upload(t.Context(), id)
		wantKind(t, err, want)
	}
	checkFiles(t, l)
}

func TestEscapedPath(t *testing.T) {
	seen := map[string]string{}
	long := []string{strings.Repeat("n", 193) + "..", strings.Repeat("n", 194) + "..", strings.Repeat("n", 194) + ".", strings.Repeat(".", 1024)}
	for i := range 400 {
		long = append(long, strings.Repeat("n", i)+"~/.."+strings.Repeat("ü", 200))
	}
	for _, n := range slices.Concat(hurtful, long) {
		p := escapedPath(n)
		if other, ok := seen[p]; ok {
			t.Errorf("%q and %q share %q", n, other, p)
		}
		seen[p] = n
		if got, ok := nameOfPath(p); !ok || got != n {
			t.Errorf("%q becomes %q, which is read as %q", n, p, got)
		}
		pieces := strings.Split(p, "/")
		for i, piece := range pieces[1:] {
			if folder := i < len(pieces)-2; len(piece) > maxPiece || strings.HasSuffix(piece, "~") != folder || strings.Trim(piece, ".") == "" || strings.Contains(piece, "\x00") {
				t.Errorf("%q becomes %q", n, p)
			}
		}
		if plain, ok := plainPath(n); ok {
			if got, ok := nameOfPath(plain); !ok || got != n {
				t.Errorf("%q is read as %q", plain, got)
			}
		}
	}
	for _, p := range []string{escapedDir, ".escaped/", ".escaped/a/b", ".escaped/a b", ".escaped/%2f", ".escaped/%zz", ".escaped/a~", ".escaped/a~/b", ".escaped/.a", "a//b", "../a", ".escaped/" + strings.Repeat("a", 130) + "~" + strings.Repeat("0", 64)} {
		if n, ok := nameOfPath(p); ok {
			t.Errorf("%q is read as %q", p, n)
		}
	}
}

// TestLocal_HashedPath has an object at the path that long names had at first.
func TestLocal_HashedPath(t *testing.T) {
	l := openLocal(t, t.TempDir(), LocalOptions{})
	newBucket(t, l)
	name := strings.Repeat("ü", 500)
	put(t, l, name, "content")
	old := escapedDir + "/" + strings.Repeat("%C3%BC", 21) + "%C3%~0123"
	err := l.update(func(x index) error {
		r, err := x.record("data", name)
		if err != nil {
			return err
		}
		if err := os.Rename(l.file("data", r.Path), l.file("data", old)); err != nil {
			return err
		}
		if err := l.dirs.prune(l.file("data", escapedDir), filepath.Dir(l.file("data", r.Path))); err != nil {
			return err
		}
		r.Path = old
		return x.putRecord("data", name, r)
	})
	if err != nil {
		t.Fatal(err)
	}
	if get(t, l, name) != "content" {
		t.Fatal("content differs")
	}
	put(t, l, name, "new content")
	if b, err := os.ReadFile(l.file("data", old)); err != nil || string(b) != "new content" {
		t.Fatalf("got %q, %v", b, err)
	}
	move(t, l, name, name+"ü")
	checkFiles(t, l)
}

func TestBatcher_Shares(t *testing.T) {
	l := openLocal(t, t.TempDir(), LocalOptions{})
	// While one transaction is under way, the others gather for the next.
	hold, entered := make(chan struct{}), make(chan struct{})
	first := make(chan error)
	go func() {
		first <- l.update(func(index) error { close(entered); <-hold; return nil })
	}()
	<-entered
	const n = 20
	ids := make(chan int, n)
	results := make(chan error, n)
	for i := range n {
		go func() {
			results <- l.update(func(x index) error {
				ids <- x.tx.ID()
				if i == 7 {
					return errBroken
				}
				return nil
			})
		}()
	}
	for {
		l.batch.mu.Lock()
		waiting := len(l.batch.queue)
		l.batch.mu.Unlock()
		if waiting == n {
			break
		}
		runtime.Gosched()
	}
	close(hold)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	var failed int
	for range n {
		if <-results != nil {
			failed++
		}
	}
	close(ids)
	var txs []int
	for id := range ids {
		txs = append(txs, id)
	}
	if failed != 1 || len(slices.Compact(txs)) != 1 {
		t.Fatalf("%d failed; transactions %v", failed, txs)
	}
}

func TestBatcher_Panic(t *testing.T) {
	l := openLocal(t, t.TempDir(), LocalOptions{})
	func() {
		defer func() { _ = recover() }()
		_ = l.update(func(index) error { panic("a bug") })
	}()
	if err := l.update(func(index) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestIndex_GenerationsGrow(t *testing.T) {
	l := openLocal(t, t.TempDir(), LocalOptions{})
	at := time.Now()
	var last int64
	for _, now := range []time.Time{at, at, at.Add(-time.Hour), at.Add(time.Second)} {
		if err := l.update(func(x index) error {
			g, err := x.nextGeneration(now)
			if g <= last {
				t.Errorf("generation %d after %d", g, last)
			}
			last = g
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}
