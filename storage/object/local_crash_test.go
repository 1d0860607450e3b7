package object

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"hearth/ml"
)

// crashes are changes, and the steps at which they are killed.
var crashes = []struct {
	name  string
	steps []string
	// target is the object that changes from before to after; an empty content
	// says that there is no object.
	target, before, after string
	// moved is the object that is there as long as the target is not new.
	moved string
	run   func(t *testing.T, l *Local)
}{
	{"PutNew", []string{"staged", "intended", "renamed", "committed"}, "new/folder/x", "", "fresh", "", func(t *testing.T, l *Local) {
		put(t, l, "new/folder/x", "fresh")
	}},
	{"PutOver", []string{"staged", "intended", "renamed", "committed"}, "old/x", "old content", "fresh", "", func(t *testing.T, l *Local) {
		put(t, l, "old/x", "fresh")
	}},
	{"PutOverSameSize", []string{"intended", "renamed"}, "old/x", "old content", "new content", "", func(t *testing.T, l *Local) {
		put(t, l, "old/x", "new content")
	}},
	{"PutEscaped", []string{"intended", "renamed"}, "old/x/below", "", "fresh", "", func(t *testing.T, l *Local) {
		put(t, l, "old/x/below", "fresh")
	}},
	{"CopyOver", []string{"intended", "renamed", "committed"}, "old/y", "other", "old content", "", func(t *testing.T, l *Local) {
		if _, err := l.Copy(t.Context(), CopyRequest{FromBucket: "data", From: "old/x", Bucket: "data", Name: "old/y"}); err != nil {
			t.Fatal(err)
		}
	}},
	{"CopyOntoItself", []string{"intended", "renamed", "committed"}, "old/x", "old content", "old content", "", func(t *testing.T, l *Local) {
		if _, err := l.Copy(t.Context(), CopyRequest{FromBucket: "data", From: "old/x", Bucket: "data", Name: "old/x"}); err != nil {
			t.Fatal(err)
		}
	}},
	{"Compose", []string{"staged", "intended", "renamed", "committed"}, "old/x", "old content", "old contentother", "", func(t *testing.T, l *Local) {
		if _, err := l.Compose(t.Context(), ComposeRequest{Bucket: "data", Name: "old/x", Sources: []ComposeSource{{Name: "old/x"}, {Name: "old/y"}}}); err != nil {
			t.Fatal(err)
		}
	}},
	{"Upload", []string{"appended", "intended", "renamed", "committed"}, "old/x", "old content", "0123456789", "", func(t *testing.T, l *Local) {
		id := begin(t, l, PutRequest{Name: "old/x"})
		for _, c := range []Chunk{{Length: 4, Total: -1, Body: strings.NewReader("0123")}, {Offset: 4, Length: 6, Total: 10, Body: strings.NewReader("456789")}} {
			if _, err := l.AppendUpload(t.Context(), id, c); err != nil {
				t.Fatal(err)
			}
		}
	}},
	{"MoveNew", []string{"intended", "renamed", "committed", "unlinked"}, "new/folder/x", "", "old content", "old/x", func(t *testing.T, l *Local) {
		move(t, l, "old/x", "new/folder/x")
	}},
	{"MoveOver", []string{"intended", "renamed", "committed", "unlinked"}, "old/y", "other", "old content", "old/x", func(t *testing.T, l *Local) {
		move(t, l, "old/x", "old/y")
	}},
	{"MoveBelow", []string{"intended", "renamed", "committed", "unlinked"}, "old/x/y", "", "old content", "old/x", func(t *testing.T, l *Local) {
		move(t, l, "old/x", "old/x/y")
	}},
	{"Delete", []string{"deleted", "unlinked"}, "old/x", "old content", "", "", func(t *testing.T, l *Local) {
		if err := l.Delete(t.Context(), "data", "old/x", Conditions{}); err != nil {
			t.Fatal(err)
		}
	}},
}

func move(t *testing.T, l *Local, from, to string) {
	t.Helper()
	if _, err := l.Move(t.Context(), MoveRequest{Bucket: "data", From: from, To: to}); err != nil {
		t.Fatal(err)
	}
}

// acknowledged are the steps after which a change is durable.
var acknowledged = map[string]bool{"committed": true, "deleted": true, "unlinked": true}

// TestLocal_Crash kills a process in the middle of each change, opens the store
// again, and looks.
func TestLocal_Crash(t *testing.T) {
	if dir := os.Getenv("OBJECT_CRASH_DIR"); dir != "" {
		crashHere(t, dir, os.Getenv("OBJECT_CRASH_RUN"))
		return
	}
	for _, c := range crashes {
		for _, step := range c.steps {
			t.Run(c.name+"/"+step, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				l := openLocal(t, dir, LocalOptions{})
				newBucket(t, l)
				put(t, l, "old/x", "old content")
				put(t, l, "old/y", "other")
				put(t, l, "bystander", "untouched")
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				crashElsewhere(t, dir, c.name, step)
				l = openLocal(t, dir, LocalOptions{})
				content := ""
				switch r, err := l.Open(t.Context(), "data", c.target); ml.KindOf(err) {
				case ml.OK:
					b, rerr := io.ReadAll(r)
					r.Close()
					content = string(b)
					if err := r.Object().check(content); err != nil || rerr != nil {
						t.Fatal(err, rerr)
					}
				case ml.NotFound:
				default:
					t.Fatal(err)
				}
				if content != c.after && (acknowledged[step] || content != c.before) {
					t.Fatalf("%s holds %q", c.target, content)
				}
				if c.moved != "" {
					_, err := l.Stat(t.Context(), "data", c.moved)
					if here := err == nil; here != (content == c.before) {
						t.Fatalf("%s holds %q, and of %s: %v", c.target, content, c.moved, err)
					}
				}
				if get(t, l, "bystander") != "untouched" {
					t.Fatal("another object changed")
				}
				checkFiles(t, l)
				if err := l.view(func(x index) error {
					if k, _ := x.tx.Bucket(bktIntents).Cursor().First(); k != nil {
						t.Errorf("the intent %q is left", k)
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				// The change works now.
				for _, again := range crashes {
					if again.name == c.name && !(content == c.after && (c.after == "" || c.moved != "")) {
						again.run(t, l)
					}
				}
				checkFiles(t, l)
			})
		}
	}
}

// crashElsewhere runs a change in a process of its own, which must die of it.
func crashElsewhere(t *testing.T, dir, run, step string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLocal_Crash$", "-test.count=1")
	cmd.Env = append(os.Environ(), "OBJECT_CRASH_DIR="+dir, "OBJECT_CRASH_RUN="+run, "HEARTH_CRASH_AT=object "+step)
	out, err := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v: %s", err, out)
	}
}

// crashHere is that process.
func crashHere(t *testing.T, dir, run string) {
	l := openLocal(t, dir, LocalOptions{})
	for _, c := range crashes {
		if c.name == run {
			c.run(t, l)
		}
	}
}

// TestLocal_LostRename has the state of a power cut that undid a rename: an
// intent, and the old file still in place.
func TestLocal_LostRename(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir, LocalOptions{})
	newBucket(t, l)
	old := put(t, l, "x", "old content")
	fresh := &intent{From: ".tmp/gone", Record: record{Generation: old.Generation + 1, Metageneration: 1, Size: old.Size, CRC32C: old.CRC32C + 1, Path: "x"}}
	if err := l.update(func(x index) error { return x.putIntent("data", "x", fresh) }); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLocal(t, dir, LocalOptions{})
	if o, err := l.Stat(t.Context(), "data", "x"); err != nil || o.Generation != old.Generation || get(t, l, "x") != "old content" {
		t.Fatalf("got %+v, %v", o, err)
	}
}

// TestLocal_LostUpload has the state of a power cut that took an upload's file.
func TestLocal_LostUpload(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir, LocalOptions{})
	newBucket(t, l)
	id := begin(t, l, PutRequest{Name: "x"})
	if _, err := l.AppendUpload(t.Context(), id, Chunk{Length: 4, Total: -1, Body: strings.NewReader("0123")}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(l.spoolFile(id), 2); err != nil {
		t.Fatal(err)
	}
	l = openLocal(t, dir, LocalOptions{})
	_, err := l.AppendUpload(t.Context(), id, Chunk{Offset: 4, Length: 1, Total: 5, Body: strings.NewReader("4")})
	wantKind(t, err, ml.NotFound)
	_, err = l.Upload(t.Context(), id)
	wantKind(t, err, ml.NotFound)
}
