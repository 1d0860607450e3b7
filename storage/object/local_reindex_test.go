package object

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"hearth/ml"
)

// byHand writes a file into the bucket's folder, behind the store's back.
func byHand(t *testing.T, l *Local, path, content string) {
	t.Helper()
	file := l.file("data", path)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantReindexed(t *testing.T, l *Local, want Reindexed) {
	t.Helper()
	var told Reindexed
	got, err := l.Reindex(t.Context(), func(r Reindexed) { told = r })
	if err != nil || got != want || told != got {
		t.Fatalf("got %+v, %v (told %+v), want %+v", got, err, told, want)
	}
}

func TestLocal_Reindex(t *testing.T) {
	l := openLocal(t, t.TempDir(), LocalOptions{})
	newBucket(t, l)
	old := put(t, l, "a/changed", "old content")
	same := put(t, l, "same", "content")
	put(t, l, "touched", "content")
	put(t, l, "gone/x", "content")
	put(t, l, "a/changed/below", "escaped")
	for _, n := range []string{"moved", "a//"} {
		put(t, l, n, "content")
	}
	wantReindexed(t, l, Reindexed{Objects: 7})

	byHand(t, l, "a/changed", "new content") // the same size
	byHand(t, l, "added/in/folders.json", "{}")
	byHand(t, l, ".escaped/x%2F%2Fy", "escaped by hand")
	byHand(t, l, ".escaped/not%2fcanonical", "no name")
	byHand(t, l, ".escaped/same", "there is another")
	byHand(t, l, "line\nbreak", "forbidden")
	if err := os.Symlink("same", l.file("data", "link")); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(l.file("data", "touched"), later, later); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(l.file("data", "gone")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(l.file("data", "moved"), l.file("data", "moved-by-hand")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(l.file("by-hand", "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.file("by-hand", "folder/x"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"Not-A-Bucket", ".hidden"} {
		if err := os.Mkdir(l.file(bad, ""), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Reindex(t.Context(), nil)
	if want := (Reindexed{Objects: 11, Added: 4, Changed: 1, Removed: 2, Bytes: 11 + 2 + 15 + 7 + 7 + 1}); err != nil || got != want {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	wantReindexed(t, l, Reindexed{Objects: 9})

	o, err := l.Stat(t.Context(), "data", "a/changed")
	if err != nil || o.Generation <= old.Generation || o.check("new content") != nil || get(t, l, "a/changed") != "new content" {
		t.Fatalf("got %+v, %v", o, err)
	}
	if o, err := l.Stat(t.Context(), "data", "same"); err != nil || cmp.Diff(o, same) != "" {
		t.Fatal(o, err)
	}
	o, err = l.Stat(t.Context(), "data", "added/in/folders.json")
	if err != nil || o.check("{}") != nil || o.ContentType != "application/json" || o.Metageneration != 1 || o.Generation <= old.Generation {
		t.Fatalf("got %+v, %v", o, err)
	}
	res, err := l.List(t.Context(), "data", ListOptions{})
	if d := cmp.Diff([]string{"a//", "a/changed", "a/changed/below", "added/in/folders.json", "moved-by-hand", "same", "touched", "x//y"}, names(res)); err != nil || d != "" {
		t.Fatal(d, err)
	}
	if o, err := l.Stat(t.Context(), "by-hand", "folder/x"); err != nil || o.check("x") != nil {
		t.Fatal(o, err)
	}
	if b, err := l.Buckets(t.Context()); err != nil || len(b) != 2 {
		t.Fatal(b, err)
	}
}

// TestLocal_RebuildIndex loses or breaks the index, which must come back.
func TestLocal_RebuildIndex(t *testing.T) {
	for name, destroy := range map[string]func(path string) error{
		"gone":      os.Remove,
		"empty":     func(path string) error { return os.Truncate(path, 0) },
		"cut":       func(path string) error { return os.Truncate(path, 8192) },
		"short":     func(path string) error { return os.Truncate(path, 100) },
		"no index":  func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("no index", 4096)), 0o600) },
		"bad metas": func(path string) error { return scribble(path, 16, 4096+16) },
		"bad pages": func(path string) error { return scribble(path, 2*4096, 3*4096, 4*4096, 5*4096, 6*4096, 7*4096) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := openLocal(t, dir, LocalOptions{})
			newBucket(t, l)
			attributes := map[string]Attributes{
				"plain": {ContentType: "application/octet-stream"}, "type": {ContentType: "x/y"}, "none": {},
				strings.Repeat("long/", 200): {CacheControl: "no-store", Metadata: map[string]string{"k": "v"}},
			}
			for n, a := range attributes {
				if _, err := l.Put(t.Context(), PutRequest{Bucket: "data", Name: n, Attributes: a}, strings.NewReader("content of "+n)); err != nil {
					t.Fatal(err)
				}
			}
			changed := changeEverything(t, l, attributes)
			last := put(t, l, "last", "last")
			attributes["last"] = Attributes{}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if err := destroy(filepath.Join(dir, indexFile)); err != nil {
				t.Fatal(err)
			}
			l = openLocal(t, dir, LocalOptions{})
			for n, want := range attributes {
				o, err := l.Stat(t.Context(), "data", n)
				if err != nil {
					t.Fatalf("%.10s: %v", n, err)
				}
				if d := cmp.Diff(want, o.Attributes); d != "" {
					t.Errorf("%.10s: %s", n, d)
				}
			}
			if o, err := l.Stat(t.Context(), "data", "patched"); err != nil || o.Generation != changed.Generation || o.Metageneration != 2 {
				t.Fatalf("got %+v, %v; want %+v", o, err, changed)
			}
			if o, err := l.Stat(t.Context(), "data", "composed"); err != nil || o.Components != 2 || o.MD5 != nil {
				t.Fatalf("got %+v, %v", o, err)
			}
			if o := put(t, l, "new", "new"); o.Generation <= last.Generation {
				t.Fatalf("generation %d after %d", o.Generation, last.Generation)
			}
			kept, err := filepath.Glob(filepath.Join(dir, indexFile+".broken-*"))
			if err != nil || (len(kept) == 1) != (name != "gone") {
				t.Fatal(kept, err)
			}
			for _, path := range kept {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			wantReindexed(t, l, Reindexed{Objects: int64(len(attributes)) + 1})
			checkFiles(t, l)
		})
	}
}

// changeEverything does the things by which an object gets its attributes, and
// notes in want what they are then. It returns the object patched.
func changeEverything(t *testing.T, l *Local, want map[string]Attributes) *Object {
	t.Helper()
	ctx := t.Context()
	copied, patched := Attributes{ContentType: "copied/type"}, Attributes{ContentType: "patched/type", Metadata: map[string]string{"p": "q"}}
	_, err := l.Copy(ctx, CopyRequest{FromBucket: "data", From: "type", Bucket: "data", Name: "copy", Attributes: &copied})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Copy(ctx, CopyRequest{FromBucket: "data", From: "type", Bucket: "data", Name: "patched"}); err != nil {
		t.Fatal(err)
	}
	o, err := l.Update(ctx, UpdateRequest{Bucket: "data", Name: "patched", Change: func(a *Attributes) error { *a = patched; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	put(t, l, "moving", "moving")
	move(t, l, "moving", "moved")
	if _, err := l.Compose(ctx, ComposeRequest{Bucket: "data", Name: "composed", Sources: []ComposeSource{{Name: "type"}, {Name: "plain"}}, Attributes: copied}); err != nil {
		t.Fatal(err)
	}
	id := begin(t, l, PutRequest{Name: "uploaded", Attributes: patched})
	for i, c := range []Chunk{{Length: 1, Total: -1, Body: strings.NewReader("0")}, {Offset: 1, Length: 1, Total: 2, Body: strings.NewReader("1")}} {
		if _, err := l.AppendUpload(ctx, id, c); err != nil {
			t.Fatal(i, err)
		}
	}
	want["copy"], want["patched"], want["moved"], want["composed"], want["uploaded"] = copied, patched, Attributes{}, copied, patched
	return o
}

// scribble overwrites some bytes at each of the offsets.
func scribble(path string, offsets ...int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, o := range offsets {
		if _, err := f.WriteAt([]byte(strings.Repeat("\xa5\x5a", 40)), o); err != nil {
			return err
		}
	}
	return nil
}

// TestLocal_RebuildInterrupted ends a rebuild in its middle: the next start
// goes on.
func TestLocal_RebuildInterrupted(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir, LocalOptions{})
	newBucket(t, l)
	put(t, l, "x", "content")
	err := l.update(func(x index) error {
		return x.tx.Bucket(bktMeta).Put(keyRebuild, []byte("1"))
	})
	if err == nil {
		err = l.update(func(x index) error { return x.deleteRecord("data", "x") })
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLocal(t, dir, LocalOptions{})
	if get(t, l, "x") != "content" {
		t.Fatal("content differs")
	}
	if yes, err := l.rebuilding(); yes || err != nil {
		t.Fatal(yes, err)
	}
}

// TestLocal_ReindexWhileWriting reindexes again and again while objects come and
// go: nothing of theirs may be added, changed or removed.
func TestLocal_ReindexWhileWriting(t *testing.T) {
	l := openLocal(t, t.TempDir(), LocalOptions{})
	newBucket(t, l)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	errs := make(chan error, 4)
	for w := range 4 {
		go func() {
			errs <- func() error {
				for i := 0; ctx.Err() == nil; i++ {
					name := fmt.Sprintf("folder-%d/x-%d", w, i%7)
					o, err := l.Put(t.Context(), PutRequest{Bucket: "data", Name: name}, strings.NewReader(fmt.Sprint("content ", i)))
					if err != nil {
						return err
					}
					if now, err := l.Stat(t.Context(), "data", name); err != nil || now.Generation != o.Generation {
						return fmt.Errorf("got %+v, %w", now, err)
					}
					to := name + "-moved"
					if _, err := l.Move(t.Context(), MoveRequest{Bucket: "data", From: name, To: to}); err != nil {
						return err
					}
					if i%2 == 0 {
						if err := l.Delete(t.Context(), "data", to, Conditions{}); err != nil {
							return err
						}
					}
				}
				return nil
			}()
		}()
	}
	for range 20 {
		got, err := l.Reindex(t.Context(), nil)
		if err != nil || got.Added+got.Changed+got.Removed > 0 {
			t.Errorf("got %+v, %v", got, err)
			break
		}
	}
	stop()
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	checkFiles(t, l)
}

// TestLocal_NotesOfLinks has objects that share a file and differ.
func TestLocal_NotesOfLinks(t *testing.T) {
	l := openLocal(t, t.TempDir(), LocalOptions{})
	newBucket(t, l)
	put(t, l, "a", "content")
	if err := unix.Setxattr(l.file("data", "a"), notePrefix+"probe", []byte("x"), 0); err != nil {
		t.Skipf("no extended attributes here: %v", err)
	}
	if err := unix.Removexattr(l.file("data", "a"), notePrefix+"probe"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Copy(t.Context(), CopyRequest{FromBucket: "data", From: "a", Bucket: "data", Name: "b", Attributes: &Attributes{ContentType: "b/b"}}); err != nil {
		t.Fatal(err)
	}
	file := l.file("data", "a")
	if a, b := readNote(file, "data", "a"), readNote(file, "data", "b"); a.ContentType != "" || b.ContentType != "b/b" {
		t.Fatalf("got %+v and %+v", a, b)
	}
	if err := l.Delete(t.Context(), "data", "b", Conditions{}); err != nil {
		t.Fatal(err)
	}
	if b := readNote(file, "data", "b"); b.ContentType != "" {
		t.Fatalf("the note of a deleted object is left: %+v", b)
	}
	// What does not fit is not kept, and nobody hears of it.
	long := Attributes{Metadata: map[string]string{"k": strings.Repeat("v", 1<<20)}}
	if _, err := l.Put(t.Context(), PutRequest{Bucket: "data", Name: "long", Attributes: long}, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if ml.KindOf(l.Delete(t.Context(), "data", "long", Conditions{})) != ml.OK {
		t.Fatal("it cannot be deleted")
	}
}
