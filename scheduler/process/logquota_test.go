package process

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hearth/ml"
)

func TestLogQuota(t *testing.T) {
	s := open(t, "none")
	p := shell(`i=0; while [ $i -lt 64 ]; do head -c 65536 /dev/zero | tr '\0' x; echo; i=$((i+1)); done; echo the end`)
	p.Limits.LogBytes = 1 << 20
	if err := s.Start(t.Context(), testID, p); err != nil {
		t.Fatal(err)
	}
	if exit, err := s.Wait(t.Context(), testID); err != nil || exit.Code != 0 {
		t.Fatalf("%+v, %v", exit, err)
	}
	path := filepath.Join(s.Folder(testID), ml.FileStdout)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var dropped ml.LogDrop
	if err := readJSON(s.Folder(testID), ml.FileLogDrop, &dropped); err != nil {
		t.Fatal(err)
	}
	kept := info.Sys().(*syscall.Stat_t).Blocks * 512
	if info.Size() < 64<<16 || kept > 1<<20+hole || dropped.Stdout < info.Size()-1<<20-hole || dropped.Stdout%hole != 0 || dropped.Stderr != 0 {
		t.Errorf("of %d bytes %d are kept, %+v are gone", info.Size(), kept, dropped)
	}
	b, _ := os.ReadFile(path)
	if !strings.HasSuffix(string(b), "x\nthe end\n") || b[dropped.Stdout-1] != 0 || b[dropped.Stdout] == 0 {
		t.Errorf("the end is %q", b[len(b)-20:])
	}
}

func TestLogQuota_LastWrites(t *testing.T) {
	m, err := openMarker(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m.quota.limit = 1 << 20
	close(m.stopped) // as if run had looked for the last time
	if _, err := m.stdout.Write(make([]byte, 4<<20)); err != nil {
		t.Fatal(err)
	}
	if err := m.finish(); err != nil {
		t.Fatal(err)
	}
	info, err := m.stdout.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if kept := info.Sys().(*syscall.Stat_t).Blocks * 512; kept > 1<<20 {
		t.Errorf("%d bytes are kept", kept)
	}
}
