package object

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
)

// BenchmarkPut4KiB writes small objects from 16 goroutines, beside what the disk
// takes for the content alone.
func BenchmarkPut4KiB(b *testing.B) {
	content := bytes.Repeat([]byte("data"), 1024)
	var n atomic.Int64
	run := func(b *testing.B, put func(name string) error) {
		b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
		b.SetBytes(int64(len(content)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := put(fmt.Sprintf("folder/%d", n.Add(1))); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.Run("store", func(b *testing.B) {
		l := benchStore(b)
		run(b, func(name string) error {
			_, err := l.Put(b.Context(), PutRequest{Bucket: "data", Name: name}, bytes.NewReader(content))
			return err
		})
	})
	b.Run("floor: write and fsync", func(b *testing.B) {
		dir := b.TempDir()
		run(b, func(name string) error {
			f, err := os.Create(filepath.Join(dir, filepath.Base(name)))
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := f.Write(content); err != nil {
				return err
			}
			return f.Sync()
		})
	})
}

// BenchmarkList lists 100,000 objects in pages of 1,000, beside a walk over
// their records in the index.
func BenchmarkList(b *testing.B) {
	const objects = 100_000
	l := benchStore(b)
	for start := 0; start < objects; start += 10_000 {
		err := l.update(func(x index) error {
			for i := start; i < start+10_000; i++ {
				name := fmt.Sprintf("run/%03d/checkpoint-%06d.data", i/1000, i)
				r := &record{Generation: int64(i), Metageneration: 1, Size: 12345, MD5: make([]byte, 16), Path: name, Created: now(), Updated: now(), Attributes: Attributes{ContentType: "application/octet-stream"}}
				if err := x.putRecord("data", name, r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	list := func(b *testing.B, o ListOptions, want int) {
		for b.Loop() {
			n := 0
			for page := o; ; {
				res, err := l.List(b.Context(), "data", page)
				if err != nil {
					b.Fatal(err)
				}
				n += len(res.Objects) + len(res.Prefixes)
				if page.StartAfter = res.Next; res.Next == "" {
					break
				}
			}
			if n != want {
				b.Fatalf("%d entries, want %d", n, want)
			}
		}
	}
	b.Run("objects", func(b *testing.B) { list(b, ListOptions{}, objects) })
	b.Run("folders", func(b *testing.B) { list(b, ListOptions{Prefix: "run/", Delimiter: "/"}, objects/1000) })
	b.Run("floor: walk the index", func(b *testing.B) {
		for b.Loop() {
			n := 0
			err := l.view(func(x index) error {
				o, err := x.objects("data")
				if err != nil {
					return err
				}
				return o.ForEach(func(k, v []byte) error { n += len(k) + len(v); return nil })
			})
			if err != nil || n == 0 {
				b.Fatal(n, err)
			}
		}
	})
}

// BenchmarkRead opens and reads a small object, beside the file alone.
func BenchmarkRead(b *testing.B) {
	l := benchStore(b)
	if _, err := l.Put(b.Context(), PutRequest{Bucket: "data", Name: "x"}, bytes.NewReader(make([]byte, 4096))); err != nil {
		b.Fatal(err)
	}
	read := func(b *testing.B, open func() (io.ReadCloser, error)) {
		for b.Loop() {
			r, err := open()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
			r.Close()
		}
	}
	b.Run("store", func(b *testing.B) {
		read(b, func() (io.ReadCloser, error) { return l.Open(b.Context(), "data", "x") })
	})
	b.Run("floor: file", func(b *testing.B) {
		read(b, func() (io.ReadCloser, error) { return os.Open(l.file("data", "x")) })
	})
}

func benchStore(b *testing.B) *Local {
	b.Helper()
	l, err := OpenLocal(b.TempDir(), LocalOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	if _, err := l.CreateBucket(b.Context(), Bucket{Name: "data"}); err != nil {
		b.Fatal(err)
	}
	return l
}
