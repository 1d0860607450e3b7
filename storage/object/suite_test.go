package object

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

// testStore is what every Store must do. open gives an empty one.
func testStore(t *testing.T, open func(t *testing.T) Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s Store)
	}{
		{"Buckets", testBuckets},
		{"BucketNames", testBucketNames},
		{"Put", testPut},
		{"PutBrokenBody", testPutBrokenBody},
		{"Conditions", testConditions},
		{"HurtfulNames", testHurtfulNames},
		{"RefusedNames", testRefusedNames},
		{"OverwriteWhileOpen", testOverwriteWhileOpen},
		{"List", testList},
		{"ListPages", testListPages},
		{"Copy", testCopy},
		{"Compose", testCompose},
		{"Update", testUpdate},
		{"Move", testMove},
		{"UpdateBucket", testUpdateBucket},
		{"DeleteBucketConditions", testDeleteBucketConditions},
		{"Upload", testUpload},
		{"UploadPieces", testUploadPieces},
		{"UploadRefused", testUploadRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, open(t))
		})
	}
}

func newBucket(t *testing.T, s BucketStore) string {
	t.Helper()
	if _, err := s.CreateBucket(t.Context(), Bucket{Name: "data", Location: "EU", Labels: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	return "data"
}

func put(t *testing.T, s ObjectWriter, name, content string) *Object {
	t.Helper()
	o, err := s.Put(t.Context(), PutRequest{Bucket: "data", Name: name}, strings.NewReader(content))
	if err != nil {
		t.Fatalf("put %q: %v", name, err)
	}
	return o
}

func get(t *testing.T, s ObjectReader, name string) string {
	t.Helper()
	r, err := s.Open(t.Context(), "data", name)
	if err != nil {
		t.Fatalf("open %q: %v", name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func wantKind(t *testing.T, err error, kind ml.Kind) {
	t.Helper()
	if ml.KindOf(err) != kind {
		t.Fatalf("got %v (%v), want %v", err, ml.KindOf(err), kind)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func names(r *ListResult) (out []string) {
	for _, o := range r.Objects {
		out = append(out, o.Name)
	}
	return out
}

func ptr[T any](v T) *T { return &v }

func testBuckets(t *testing.T, s Store) {
	ctx := t.Context()
	_, err := s.Bucket(ctx, "data")
	wantKind(t, err, ml.NotFound)
	newBucket(t, s)
	_, err = s.CreateBucket(ctx, Bucket{Name: "data"})
	wantKind(t, err, ml.AlreadyExists)
	b, err := s.Bucket(ctx, "data")
	if err != nil || b.Name != "data" || b.Location != "EU" || b.Labels["a"] != "b" || b.Metageneration != 1 || b.Created.IsZero() {
		t.Fatalf("got %+v, %v", b, err)
	}
	if _, err := s.CreateBucket(ctx, Bucket{Name: "a-first"}); err != nil {
		t.Fatal(err)
	}
	all, err := s.Buckets(ctx)
	if err != nil || len(all) != 2 || all[0].Name != "a-first" || all[1].Name != "data" {
		t.Fatalf("got %v, %v", all, err)
	}
	put(t, s, "x", "1")
	wantErr(t, s.DeleteBucket(ctx, "data", Conditions{}), ErrBucketNotEmpty)
	if err := s.Delete(ctx, "data", "x", Conditions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteBucket(ctx, "data", Conditions{}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeleteBucket(ctx, "data", Conditions{}), ml.NotFound)
	_, err = s.List(ctx, "data", ListOptions{})
	wantKind(t, err, ml.NotFound)
	_, err = s.Put(ctx, PutRequest{Bucket: "data", Name: "x"}, strings.NewReader("1"))
	wantKind(t, err, ml.NotFound)
	newBucket(t, s)
	put(t, s, "x", "again")
}

func testBucketNames(t *testing.T, s Store) {
	for _, bad := range []string{
		"", "ab", "Data", "-data", "data-", "da ta", "data/x", "..", "a..b", "192.168.0.1", "goog-data", "my-google-bucket",
		strings.Repeat("a", 64), strings.Repeat("a.", 120) + "a", "data\n", ".tmp",
	} {
		_, err := s.CreateBucket(t.Context(), Bucket{Name: bad})
		if ml.KindOf(err) != ml.InvalidArgument {
			t.Errorf("bucket %q: got %v", bad, err)
		}
	}
	for _, good := range []string{"abc", "a_b", "my.bucket.example.com", "1-2", strings.Repeat("a", 63)} {
		if _, err := s.CreateBucket(t.Context(), Bucket{Name: good}); err != nil {
			t.Errorf("bucket %q: %v", good, err)
		}
	}
}

func testPut(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	content := strings.Repeat("0123456789", 100_000)
	sum := md5.Sum([]byte(content))
	attributes := Attributes{ContentType: "text/plain", ContentEncoding: "gzip", CacheControl: "no-store", Metadata: map[string]string{"Key": "Wert ü"}}
	o, err := s.Put(ctx, PutRequest{Bucket: "data", Name: "a/b.txt", Attributes: attributes, Expect: Checksums{MD5: sum[:]}}, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if o.Size != int64(len(content)) || o.CRC32C != crc32.Checksum([]byte(content), castagnoli) || !bytes.Equal(o.MD5, sum[:]) || o.Metageneration != 1 || o.Generation == 0 {
		t.Fatalf("got %+v", o)
	}
	if d := cmp.Diff(attributes, o.Attributes); d != "" {
		t.Fatal(d)
	}
	stat, err := s.Stat(ctx, "data", "a/b.txt")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(o, stat); d != "" {
		t.Fatal(d)
	}
	if get(t, s, "a/b.txt") != content {
		t.Fatal("content differs")
	}
	again := put(t, s, "a/b.txt", "")
	if again.Generation <= o.Generation || again.Size != 0 || again.Metageneration != 1 {
		t.Fatalf("got %+v after %+v", again, o)
	}
	_, err = s.Put(ctx, PutRequest{Bucket: "data", Name: "bad", Expect: Checksums{CRC32C: ptr(uint32(7))}}, strings.NewReader(content))
	wantKind(t, err, ml.InvalidArgument)
	_, err = s.Put(ctx, PutRequest{Bucket: "data", Name: "bad", Expect: Checksums{MD5: make([]byte, 16)}}, strings.NewReader(content))
	wantKind(t, err, ml.InvalidArgument)
	_, err = s.Stat(ctx, "data", "bad")
	wantKind(t, err, ml.NotFound)
	if err := s.Delete(ctx, "data", "a/b.txt", Conditions{}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.Delete(ctx, "data", "a/b.txt", Conditions{}), ml.NotFound)
	_, err = s.Open(ctx, "data", "a/b.txt")
	wantKind(t, err, ml.NotFound)
	if newer := put(t, s, "a/b.txt", "x"); newer.Generation <= again.Generation {
		t.Fatalf("generation %d after %d", newer.Generation, again.Generation)
	}
}

// brokenReader gives some bytes and then an error.
type brokenReader struct{ n int }

var errBroken = errors.New("connection lost")

func (b *brokenReader) Read(p []byte) (int, error) {
	if b.n == 0 {
		return 0, errBroken
	}
	n := min(b.n, len(p))
	b.n -= n
	return n, nil
}

func testPutBrokenBody(t *testing.T, s Store) {
	newBucket(t, s)
	put(t, s, "x", "old")
	_, err := s.Put(t.Context(), PutRequest{Bucket: "data", Name: "x"}, &brokenReader{n: 1000})
	wantErr(t, err, errBroken)
	if get(t, s, "x") != "old" {
		t.Fatal("a broken write changed the object")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Put(ctx, PutRequest{Bucket: "data", Name: "x"}, strings.NewReader("new"))
	wantErr(t, err, context.Canceled)
}

func testConditions(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	try := func(c Conditions) error {
		_, err := s.Put(ctx, PutRequest{Bucket: "data", Name: "x", If: c}, strings.NewReader("v"))
		return err
	}
	wantErr(t, try(Conditions{GenerationMatch: ptr(int64(5))}), ErrConditionNotMet)
	wantErr(t, try(Conditions{GenerationNotMatch: ptr(int64(0))}), ErrNotModified)
	if err := try(Conditions{GenerationMatch: ptr(int64(0))}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, try(Conditions{GenerationMatch: ptr(int64(0))}), ErrConditionNotMet)
	o, err := s.Stat(ctx, "data", "x")
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, try(Conditions{MetagenerationMatch: ptr(int64(2))}), ErrConditionNotMet)
	wantErr(t, try(Conditions{MetagenerationNotMatch: ptr(int64(1))}), ErrNotModified)
	wantErr(t, s.Delete(ctx, "data", "x", Conditions{GenerationMatch: ptr(o.Generation + 1)}), ErrConditionNotMet)
	if err := s.Delete(ctx, "data", "x", Conditions{GenerationMatch: &o.Generation}); err != nil {
		t.Fatal(err)
	}
}

// hurtful are names that file systems would like to read differently.
var hurtful = []string{
	"a", "a/b", "a/b/c", "a/", "a//", "a//b", "/", "/a", "//", "x/../y", "../../etc/passwd", "./x", "x/.", "x/..", "...", "x/",
	".escaped/a", ".escaped", ".escaped/%2F", ".tmp", ".index.db", ".uploads/x", "%2F", "a%2Fb", "a%", "~", "-rf", "*", "?", "a b", " ",
	"\t", "a\x00b", "\x01", "a\\b", `"`, "'", "ü", "日本/語", "é", "e\u0301", "A", "\U0001F525",
	strings.Repeat("n", 255), strings.Repeat("n", 256), strings.Repeat("n", 1024), strings.Repeat("%/", 512), strings.Repeat("d/", 511) + "xy",
	strings.Repeat("n", 255) + "/x", strings.Repeat("n", 256) + "/x", strings.Repeat("ü", 500) + "1", strings.Repeat("ü", 500) + "2",
}

func testHurtfulNames(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	for _, order := range []func([]string){func([]string) {}, slices.Reverse[[]string]} {
		list := slices.Clone(hurtful)
		order(list)
		for _, n := range list {
			put(t, s, n, "content of "+n)
		}
		res, err := s.List(ctx, "data", ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(hurtful)
		slices.Sort(want)
		if d := cmp.Diff(want, names(res)); d != "" {
			t.Fatal(d)
		}
		for i, n := range list {
			if got := get(t, s, n); got != "content of "+n {
				t.Errorf("%q holds %q", n, got)
			}
			if err := s.Delete(ctx, "data", n, Conditions{}); err != nil {
				t.Errorf("delete %q: %v", n, err)
			}
			for _, other := range list[i+1:] {
				if _, err := s.Stat(ctx, "data", other); err != nil {
					t.Fatalf("%q went with %q: %v", other, n, err)
				}
			}
		}
	}
}

func testRefusedNames(t *testing.T, s Store) {
	newBucket(t, s)
	for _, n := range []string{"", ".", "..", "a\nb", "a\rb", "\xff", strings.Repeat("n", 1025), ".well-known/acme-challenge/x"} {
		_, err := s.Put(t.Context(), PutRequest{Bucket: "data", Name: n}, strings.NewReader(""))
		if ml.KindOf(err) != ml.InvalidArgument {
			t.Errorf("%q: got %v", n, err)
		}
	}
}

func testOverwriteWhileOpen(t *testing.T, s Store) {
	newBucket(t, s)
	first := put(t, s, "x", "the first content")
	r, err := s.Open(t.Context(), "data", "x")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	put(t, s, "x", "another")
	if err := s.Delete(t.Context(), "data", "x", Conditions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Seek(4, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if ml.KindOf(err) == ml.Aborted && len(b) == 0 {
		return // as a store may say, where it has not kept the old content
	}
	if err != nil || string(b) != "first content" || r.Object().Generation != first.Generation {
		t.Fatalf("got %q, %v of generation %d", b, err, r.Object().Generation)
	}
}

func matchX(name string) bool { return strings.HasSuffix(name, "/x") }

func testList(t *testing.T, s Store) {
	newBucket(t, s)
	for _, n := range []string{"a", "b/", "b/1", "b/2/x", "b/2/y", "b0", "c/d/e", "ü", "\U0010FFFF/x"} {
		put(t, s, n, "")
	}
	type want struct{ objects, prefixes []string }
	for _, test := range []struct {
		name string
		o    ListOptions
		want want
	}{
		{"all", ListOptions{}, want{objects: []string{"a", "b/", "b/1", "b/2/x", "b/2/y", "b0", "c/d/e", "ü", "\U0010FFFF/x"}}},
		{"prefix", ListOptions{Prefix: "b/2"}, want{objects: []string{"b/2/x", "b/2/y"}}},
		{"nothing", ListOptions{Prefix: "zz"}, want{}},
		{"delimiter", ListOptions{Delimiter: "/"}, want{[]string{"a", "b0", "ü"}, []string{"b/", "c/", "\U0010FFFF/"}}},
		{"folder", ListOptions{Delimiter: "/", Prefix: "b/"}, want{[]string{"b/", "b/1"}, []string{"b/2/"}}},
		{"folder without slash", ListOptions{Delimiter: "/", Prefix: "b"}, want{[]string{"b0"}, []string{"b/"}}},
		{"trailing delimiter", ListOptions{Delimiter: "/", TrailingDelimiter: true}, want{[]string{"a", "b/", "b0", "ü"}, []string{"b/", "c/", "\U0010FFFF/"}}},
		{"long delimiter", ListOptions{Delimiter: "/2/"}, want{[]string{"a", "b/", "b/1", "b0", "c/d/e", "ü", "\U0010FFFF/x"}, []string{"b/2/"}}},
		{"offsets", ListOptions{StartOffset: "b/1", EndOffset: "c"}, want{objects: []string{"b/1", "b/2/x", "b/2/y", "b0"}}},
		{"offsets outside the prefix", ListOptions{Prefix: "b/", StartOffset: "a", EndOffset: "z"}, want{objects: []string{"b/", "b/1", "b/2/x", "b/2/y"}}},
		{"match", ListOptions{Match: matchX}, want{objects: []string{"b/2/x", "\U0010FFFF/x"}}},
		{"match and delimiter", ListOptions{Delimiter: "/", Match: matchX}, want{prefixes: []string{"b/", "\U0010FFFF/"}}},
	} {
		res, err := s.List(t.Context(), "data", test.o)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(test.want, want{names(res), res.Prefixes}, cmp.AllowUnexported(want{})); d != "" {
			t.Errorf("%s: %s", test.name, d)
		}
		if res.Next != "" {
			t.Errorf("%s: there is no more, but Next is %q", test.name, res.Next)
		}
	}
}

// testListPages reads each listing in pages of every size, which must come to
// the same as one page.
func testListPages(t *testing.T, s Store) {
	newBucket(t, s)
	for _, n := range []string{"a", "a/", "a//", "a/b", "a/b/c", "b/", "b/1", "b/2", "c", "d/x/y", "d/x/z"} {
		put(t, s, n, "")
	}
	for _, o := range []ListOptions{
		{}, {Delimiter: "/"}, {Delimiter: "/", Prefix: "a/"}, {Delimiter: "/", Prefix: "a"}, {Delimiter: "/", Prefix: "d/x/"}, {Prefix: "b"},
		{Delimiter: "/", TrailingDelimiter: true}, {Delimiter: "/", StartOffset: "a/b", EndOffset: "d"},
		{Match: func(name string) bool { return len(name) != 2 }}, {Delimiter: "/", Match: func(name string) bool { return len(name) > 2 }},
	} {
		whole, err := s.List(t.Context(), "data", o)
		if err != nil {
			t.Fatal(err)
		}
		for size := 1; size <= 12; size++ {
			var objects, prefixes []string
			page := o
			page.Max = size
			for range 100 {
				res, err := s.List(t.Context(), "data", page)
				if err != nil {
					t.Fatal(err)
				}
				objects, prefixes = append(objects, names(res)...), append(prefixes, res.Prefixes...)
				if page.StartAfter = res.Next; res.Next == "" {
					break
				}
			}
			if d := cmp.Diff(names(whole), objects) + cmp.Diff(whole.Prefixes, prefixes); d != "" {
				t.Errorf("%+v: %s", page, d)
			}
		}
	}
}

func testCopy(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	if _, err := s.CreateBucket(ctx, Bucket{Name: "other"}); err != nil {
		t.Fatal(err)
	}
	src, err := s.Put(ctx, PutRequest{Bucket: "data", Name: "a", Attributes: Attributes{ContentType: "x/y", Metadata: map[string]string{"k": "v"}}}, strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	// The same target twice, and an object onto itself: files that are links of
	// each other are replaced like others.
	for _, target := range []struct{ bucket, name string }{{"other", "b/c"}, {"other", "b/c"}, {"data", "a"}, {"other", "b/c"}} {
		o, err := s.Copy(ctx, CopyRequest{FromBucket: "data", From: "a", Bucket: target.bucket, Name: target.name})
		if err != nil {
			t.Fatal(err)
		}
		if o.Generation <= src.Generation || o.Size != 7 || o.CRC32C != src.CRC32C || o.ContentType != "x/y" || o.Metadata["k"] != "v" || o.Bucket != target.bucket {
			t.Fatalf("got %+v of %+v", o, src)
		}
	}
	put(t, s, "a", "changed")
	r, err := s.Open(ctx, "other", "b/c")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, _ := io.ReadAll(r); string(b) != "content" {
		t.Fatalf("the copy holds %q", b)
	}
	o, err := s.Copy(ctx, CopyRequest{FromBucket: "data", From: "a", Bucket: "data", Name: "d", Attributes: &Attributes{ContentType: "new/type"}})
	if err != nil || o.ContentType != "new/type" || o.Metadata != nil {
		t.Fatalf("got %+v, %v", o, err)
	}
	_, err = s.Copy(ctx, CopyRequest{FromBucket: "data", From: "none", Bucket: "data", Name: "d"})
	wantKind(t, err, ml.NotFound)
	_, err = s.Copy(ctx, CopyRequest{FromBucket: "data", From: "a", Bucket: "none", Name: "d"})
	wantKind(t, err, ml.NotFound)
	_, err = s.Copy(ctx, CopyRequest{FromBucket: "data", From: "a", FromIf: Conditions{GenerationMatch: &src.Generation}, Bucket: "data", Name: "d"})
	wantErr(t, err, ErrConditionNotMet)
	_, err = s.Copy(ctx, CopyRequest{FromBucket: "data", From: "a", Bucket: "data", Name: "d", If: Conditions{GenerationMatch: ptr(int64(0))}})
	wantErr(t, err, ErrConditionNotMet)
}

func testCompose(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	a := put(t, s, "a", "first ")
	put(t, s, "b", "second")
	sources := []ComposeSource{{Name: "a", If: Conditions{GenerationMatch: &a.Generation}}, {Name: "b"}}
	o, err := s.Compose(ctx, ComposeRequest{Bucket: "data", Name: "a", Sources: sources, Attributes: Attributes{ContentType: "t/t"}})
	if err != nil {
		t.Fatal(err)
	}
	if o.Components != 2 || o.MD5 != nil || o.CRC32C != crc32.Checksum([]byte("first second"), castagnoli) || o.ContentType != "t/t" {
		t.Fatalf("got %+v", o)
	}
	if got := get(t, s, "a"); got != "first second" {
		t.Fatalf("got %q", got)
	}
	o, err = s.Compose(ctx, ComposeRequest{Bucket: "data", Name: "c", Sources: []ComposeSource{{Name: "a"}, {Name: "b"}}})
	if err != nil || o.Components != 3 {
		t.Fatalf("got %+v, %v", o, err)
	}
	_, err = s.Compose(ctx, ComposeRequest{Bucket: "data", Name: "c", Sources: sources})
	wantErr(t, err, ErrConditionNotMet)
	_, err = s.Compose(ctx, ComposeRequest{Bucket: "data", Name: "c", Sources: []ComposeSource{{Name: "none"}}})
	wantKind(t, err, ml.NotFound)
	for _, n := range []int{0, 33} {
		_, err = s.Compose(ctx, ComposeRequest{Bucket: "data", Name: "c", Sources: slices.Repeat([]ComposeSource{{Name: "b"}}, n)})
		wantKind(t, err, ml.InvalidArgument)
	}
}

func testUpdate(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	o := put(t, s, "x", "content")
	change := func(a *Attributes) error {
		a.ContentType, a.Metadata = "a/b", map[string]string{"k": "v"}
		return nil
	}
	u, err := s.Update(ctx, UpdateRequest{Bucket: "data", Name: "x", Change: change})
	if err != nil || u.Generation != o.Generation || u.Metageneration != 2 || u.ContentType != "a/b" || u.Metadata["k"] != "v" || !u.Created.Equal(o.Created) || u.Updated.Before(o.Updated) {
		t.Fatalf("got %+v, %v", u, err)
	}
	_, err = s.Update(ctx, UpdateRequest{Bucket: "data", Name: "x", If: Conditions{MetagenerationMatch: ptr(int64(1))}, Change: change})
	wantErr(t, err, ErrConditionNotMet)
	_, err = s.Update(ctx, UpdateRequest{Bucket: "data", Name: "x", Change: func(*Attributes) error { return errBroken }})
	wantErr(t, err, errBroken)
	_, err = s.Update(ctx, UpdateRequest{Bucket: "data", Name: "none", Change: change})
	wantKind(t, err, ml.NotFound)
	if now, err := s.Stat(ctx, "data", "x"); err != nil || now.Metageneration != 2 {
		t.Fatalf("got %+v, %v", now, err)
	}
}

func testMove(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	attributes := Attributes{ContentType: "x/y", Metadata: map[string]string{"k": "v"}}
	src, err := s.Put(ctx, PutRequest{Bucket: "data", Name: "a/b", Attributes: attributes}, strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	over := put(t, s, "over", "old")
	move := func(m MoveRequest) (*Object, error) {
		m.Bucket = "data"
		return s.Move(ctx, m)
	}
	_, err = move(MoveRequest{From: "a/b", To: "a/b"})
	wantKind(t, err, ml.InvalidArgument)
	_, err = move(MoveRequest{From: "none", To: "x"})
	wantKind(t, err, ml.NotFound)
	_, err = move(MoveRequest{From: "a/b", To: ""})
	wantKind(t, err, ml.InvalidArgument)
	_, err = move(MoveRequest{From: "a/b", To: "over", FromIf: Conditions{GenerationMatch: ptr(src.Generation + 1)}})
	wantErr(t, err, ErrConditionNotMet)
	_, err = move(MoveRequest{From: "a/b", To: "over", If: Conditions{GenerationMatch: ptr(int64(0))}})
	wantErr(t, err, ErrConditionNotMet)
	if get(t, s, "a/b") != "content" || get(t, s, "over") != "old" {
		t.Fatal("a refused move changed something")
	}
	// Over another object, to a new name below and above the old one, and back.
	from := src
	for _, to := range []string{"over", "over/deep/er", "over", "a", "a/b", "a//"} {
		o, err := move(MoveRequest{From: from.Name, To: to, FromIf: Conditions{GenerationMatch: &from.Generation}})
		if err != nil {
			t.Fatalf("move %s to %s: %v", from.Name, to, err)
		}
		if o.Name != to || o.Generation <= max(from.Generation, over.Generation) || o.Metageneration != 1 || o.CRC32C != src.CRC32C || !bytes.Equal(o.MD5, src.MD5) {
			t.Fatalf("got %+v of %+v", o, from)
		}
		if d := cmp.Diff(attributes, o.Attributes); d != "" {
			t.Fatal(d)
		}
		_, err = s.Stat(ctx, "data", from.Name)
		wantKind(t, err, ml.NotFound)
		if get(t, s, to) != "content" {
			t.Fatal("content differs")
		}
		from = o
	}
	if res, err := s.List(ctx, "data", ListOptions{}); err != nil || fmt.Sprint(names(res)) != "[a//]" {
		t.Fatalf("got %v, %v", names(res), err)
	}
}

func testUpdateBucket(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	change := func(b *Bucket) error {
		b.Labels = map[string]string{"c": "d"}
		b.Extra = map[string]json.RawMessage{"lifecycle": json.RawMessage(`{"rule":[]}`)}
		b.Name, b.Metageneration, b.Created = "stolen", 99, time.Time{}
		return nil
	}
	b, err := s.UpdateBucket(ctx, BucketUpdate{Name: "data", If: Conditions{MetagenerationMatch: ptr(int64(1))}, Change: change})
	if err != nil {
		t.Fatal(err)
	}
	if b.Name != "data" || b.Metageneration != 2 || b.Created.IsZero() || b.Updated.Before(b.Created) || b.Location != "EU" || b.Labels["c"] != "d" {
		t.Fatalf("got %+v", b)
	}
	kept, err := s.Bucket(ctx, "data")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b, kept); d != "" {
		t.Fatal(d)
	}
	_, err = s.UpdateBucket(ctx, BucketUpdate{Name: "data", If: Conditions{MetagenerationMatch: ptr(int64(1))}, Change: change})
	wantErr(t, err, ErrConditionNotMet)
	_, err = s.UpdateBucket(ctx, BucketUpdate{Name: "data", Change: func(*Bucket) error { return errBroken }})
	wantErr(t, err, errBroken)
	_, err = s.UpdateBucket(ctx, BucketUpdate{Name: "none", Change: change})
	wantKind(t, err, ml.NotFound)
	if now, err := s.Bucket(ctx, "data"); err != nil || now.Metageneration != 2 {
		t.Fatalf("got %+v, %v", now, err)
	}
}

func testDeleteBucketConditions(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	wantErr(t, s.DeleteBucket(ctx, "data", Conditions{MetagenerationMatch: ptr(int64(2))}), ErrConditionNotMet)
	wantErr(t, s.DeleteBucket(ctx, "data", Conditions{MetagenerationNotMatch: ptr(int64(1))}), ErrNotModified)
	// A bucket has no generation to compare with.
	if err := s.DeleteBucket(ctx, "data", Conditions{MetagenerationMatch: ptr(int64(1)), GenerationMatch: ptr(int64(7))}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Bucket(ctx, "data")
	wantKind(t, err, ml.NotFound)
}

func begin(t *testing.T, s Uploader, p PutRequest) string {
	t.Helper()
	p.Bucket = "data"
	id, err := s.BeginUpload(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func testUpload(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	for _, content := range []string{"", "all at once"} {
		id := begin(t, s, PutRequest{Name: "x", By: "somebody", Attributes: Attributes{ContentType: "a/b"}})
		if u, err := s.Upload(ctx, id); err != nil || u.By != "somebody" || u.Bucket != "data" || u.Name != "x" {
			t.Fatalf("got %+v, %v", u, err)
		}
		u, err := s.AppendUpload(ctx, id, Chunk{Length: -1, Total: -1, Last: true, Body: strings.NewReader(content)})
		if err != nil || u.By != "somebody" || u.Object == nil || u.Object.Size != int64(len(content)) || u.Object.ContentType != "a/b" {
			t.Fatalf("got %+v, %v", u, err)
		}
		if get(t, s, "x") != content {
			t.Fatal("content differs")
		}
		// A client that lost the answer asks again, or sends everything again.
		again, err := s.Upload(ctx, id)
		if err != nil || again.Object == nil || again.Object.Generation != u.Object.Generation {
			t.Fatalf("got %+v, %v", again, err)
		}
		again, err = s.AppendUpload(ctx, id, Chunk{Length: -1, Total: -1, Last: true, Body: strings.NewReader(content)})
		if err != nil || again.Object == nil || again.Object.Generation != u.Object.Generation {
			t.Fatalf("got %+v, %v", again, err)
		}
	}
}

func testUploadPieces(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	content := "0123456789abcdefghij"
	piece := func(a, b int) Chunk {
		return Chunk{Offset: int64(a), Length: int64(b - a), Total: -1, Body: strings.NewReader(content[a:b])}
	}
	id := begin(t, s, PutRequest{Name: "x"})
	step := func(c Chunk, kind ml.Kind, size int64) {
		t.Helper()
		_, err := s.AppendUpload(ctx, id, c)
		wantKind(t, err, kind)
		if u, err := s.Upload(ctx, id); err != nil || u.Size != size || u.Object != nil {
			t.Fatalf("got %+v, %v; want %d bytes", u, err, size)
		}
	}
	step(piece(0, 5), ml.OK, 5)
	step(piece(6, 9), ml.Unavailable, 5)
	step(piece(2, 8), ml.OK, 8)
	step(piece(0, 4), ml.OK, 8)
	broken := piece(8, 12)
	broken.Body = io.MultiReader(strings.NewReader(content[8:10]), &brokenReader{})
	step(broken, ml.Internal, 10)
	short := piece(10, 15)
	short.Length = 7
	step(short, ml.InvalidArgument, 15)
	long := piece(15, 18)
	long.Length = 2
	step(long, ml.InvalidArgument, 17)
	beyond := piece(17, 20)
	beyond.Total = 18
	step(beyond, ml.InvalidArgument, 20)
	u, err := s.AppendUpload(ctx, id, Chunk{Total: 20})
	if err != nil || u.Object == nil || get(t, s, "x") != content {
		t.Fatalf("got %+v, %v", u, err)
	}
	if sum := crc32.Checksum([]byte(content), castagnoli); u.Object.CRC32C != sum {
		t.Fatalf("crc32c %08x, want %08x", u.Object.CRC32C, sum)
	}
}

func testUploadRefused(t *testing.T, s Store) {
	ctx := t.Context()
	newBucket(t, s)
	_, err := s.Upload(ctx, "nonsense")
	wantKind(t, err, ml.NotFound)
	_, err = s.AppendUpload(ctx, "nonsense", Chunk{Last: true})
	wantKind(t, err, ml.NotFound)
	wantKind(t, s.AbortUpload(ctx, "nonsense"), ml.NotFound)
	_, err = s.BeginUpload(ctx, PutRequest{Bucket: "none", Name: "x"})
	wantKind(t, err, ml.NotFound)

	absent := PutRequest{Name: "x", If: Conditions{GenerationMatch: ptr(int64(0))}}
	all := func(content string) Chunk {
		return Chunk{Length: -1, Total: -1, Last: true, Body: strings.NewReader(content)}
	}
	for name, test := range map[string]struct {
		p    PutRequest
		c    Chunk
		want ml.Kind
	}{
		"condition":   {absent, all("v"), ml.FailedPrecondition},
		"checksum":    {PutRequest{Name: "y", Expect: Checksums{CRC32C: ptr(uint32(1))}}, all("v"), ml.InvalidArgument},
		"late digest": {PutRequest{Name: "y"}, Chunk{Last: true, Expect: Checksums{MD5: make([]byte, 16)}}, ml.InvalidArgument},
	} {
		id := begin(t, s, test.p)
		if name == "condition" {
			put(t, s, "x", "somebody was faster")
		}
		_, err := s.AppendUpload(ctx, id, test.c)
		wantKind(t, err, test.want)
		_, err = s.Upload(ctx, id)
		wantKind(t, err, ml.NotFound)
	}
	id := begin(t, s, PutRequest{Name: "z"})
	if err := s.AbortUpload(ctx, id); err != nil {
		t.Fatal(err)
	}
	_, err = s.AppendUpload(ctx, id, all("v"))
	wantKind(t, err, ml.NotFound)
	if res, err := s.List(ctx, "data", ListOptions{}); err != nil || fmt.Sprint(names(res)) != "[x]" {
		t.Fatalf("got %v, %v", names(res), err)
	}
}
