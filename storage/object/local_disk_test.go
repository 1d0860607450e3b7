//go:build linux

package object

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// smallDisk mounts a file system of its own.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("file systems may not be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all room of a disk but so many bytes, as others' files do.
func fill(t *testing.T, disk string, but int64) {
	t.Helper()
	path := filepath.Join(disk, "filler")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s syscall.Statfs_t
	if err := syscall.Statfs(disk, &s); err != nil {
		t.Fatal(err)
	}
	var info syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &info); err != nil {
		t.Fatal(err)
	}
	size := info.Blocks*512 + int64(s.Bavail)*s.Bsize - but
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if size > 0 {
		if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLocal_FullDisk writes with every amount of room left: what does not fit
// is refused, and changes nothing.
func TestLocal_FullDisk(t *testing.T) {
	disk := smallDisk(t, 8<<20)
	l := openLocal(t, filepath.Join(disk, "objects"), LocalOptions{})
	newBucket(t, l)
	page := int64(os.Getpagesize())
	content := func(i int64) string { return strings.Repeat(fmt.Sprint(i%10), int(3*page)) }
	refused, answered := 0, 0
	for room := range int64(30) {
		fill(t, disk, spareBytes+30*page)
		before := content(room)
		put(t, l, "x", before)
		put(t, l, "from", "to be moved")
		id := begin(t, l, PutRequest{Name: "up"})
		fill(t, disk, room*page)
		after := content(room + 1)
		_, err := l.Put(t.Context(), PutRequest{Bucket: "data", Name: "x"}, strings.NewReader(after))
		want := before
		if err == nil {
			want = after
			answered++
		} else {
			wantKind(t, err, ml.ResourceExhausted)
			refused++
		}
		if got := get(t, l, "x"); got != want {
			t.Fatalf("with %d pages left: %v, and the object holds %.10q, want %.10q", room, err, got, want)
		}
		for name, try := range map[string]func() error{
			"move": func() error {
				_, err := l.Move(t.Context(), MoveRequest{Bucket: "data", From: "from", To: fmt.Sprint("moved/", room)})
				return err
			},
			"upload": func() error {
				_, err := l.AppendUpload(t.Context(), id, Chunk{Length: 9, Total: -1, Last: true, Body: strings.NewReader("all of it")})
				return err
			},
			"update": func() error {
				_, err := l.Update(t.Context(), UpdateRequest{Bucket: "data", Name: "x", Change: func(a *Attributes) error {
					a.Metadata = map[string]string{"k": strings.Repeat("v", 5000)}
					return nil
				}})
				return err
			},
			"bucket": func() error {
				_, err := l.CreateBucket(t.Context(), Bucket{Name: fmt.Sprintf("bucket-%d", room)})
				return err
			},
		} {
			if err := try(); ml.KindOf(err) != ml.OK && ml.KindOf(err) != ml.ResourceExhausted {
				t.Errorf("%s: %v", name, err)
			}
		}
		checkFiles(t, l)
		// Where nothing else works, deletes do.
		fill(t, disk, 0)
		deleteAll(t, l)
		checkFiles(t, l)
	}
	if refused == 0 || answered == 0 {
		t.Fatalf("%d writes were refused and %d answered", refused, answered)
	}
	// Without a restart all is well again.
	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	put(t, l, "x", "again")
	checkFiles(t, l)
}

func deleteAll(t *testing.T, l *Local) {
	t.Helper()
	res, err := l.List(t.Context(), "data", ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range res.Objects {
		if err := l.Delete(t.Context(), "data", o.Name, Conditions{}); err != nil {
			t.Fatalf("delete %s: %v", o.Name, err)
		}
	}
}

// TestLocal_SizeBeforehand refuses a write that says it will not fit.
func TestLocal_SizeBeforehand(t *testing.T) {
	l := openLocal(t, filepath.Join(smallDisk(t, 8<<20), "objects"), LocalOptions{ReserveBytes: 1 << 20})
	newBucket(t, l)
	body := &brokenReader{n: 1}
	_, err := l.Put(t.Context(), PutRequest{Bucket: "data", Name: "x", Size: 7 << 20}, body)
	wantKind(t, err, ml.ResourceExhausted)
	id := begin(t, l, PutRequest{Name: "x"})
	_, err = l.AppendUpload(t.Context(), id, Chunk{Length: 1, Total: 7 << 20, Body: body})
	wantKind(t, err, ml.ResourceExhausted)
	if body.n != 1 {
		t.Fatal("the content was read")
	}
	if _, err := l.Put(t.Context(), PutRequest{Bucket: "data", Name: "x", Size: 2 << 20}, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
}

// TestLocal_FullDiskAtStart has a disk that was full already when the store
// begins to use it: it is opened, and deletes make room.
func TestLocal_FullDiskAtStart(t *testing.T) {
	disk := smallDisk(t, 4<<20)
	dir := filepath.Join(disk, "objects")
	l := openLocal(t, dir, LocalOptions{})
	newBucket(t, l)
	put(t, l, "big", strings.Repeat("x", 1<<20))
	put(t, l, "x", "content")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, spareFile)); err != nil {
		t.Fatal(err)
	}
	fill(t, disk, 0)
	l = openLocal(t, dir, LocalOptions{})
	if get(t, l, "x") != "content" {
		t.Fatal("content differs")
	}
	_, err := l.Put(t.Context(), PutRequest{Bucket: "data", Name: "y"}, strings.NewReader("y"))
	wantKind(t, err, ml.ResourceExhausted)
	fill(t, disk, spareBytes/2)
	if err := l.Delete(t.Context(), "data", "big", Conditions{}); err != nil {
		t.Fatal(err)
	}
	put(t, l, "y", "y")
	checkFiles(t, l)
}

// TestLocal_ReadOnlyDisk opens a store where nothing can be written.
func TestLocal_ReadOnlyDisk(t *testing.T) {
	disk := smallDisk(t, 4<<20)
	dir := filepath.Join(disk, "objects")
	l := openLocal(t, dir, LocalOptions{})
	newBucket(t, l)
	if err := l.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	_, err := OpenLocal(dir, LocalOptions{})
	wantKind(t, err, ml.Unavailable)
	wantKind(t, l.Check(t.Context()), ml.Unavailable)
}
