package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"hearth/ml"
)

// What only a store on an S3 server has to do.

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

func TestMinIO_LargeObjects(t *testing.T) {
	s := startMinIO(t)
	m := s.open(t, t.TempDir())
	newBucket(t, m)
	ctx := t.Context()
	content := randomBytes(2*partSize + 12345)
	o, err := m.Put(ctx, PutRequest{Bucket: "data", Name: "big", Attributes: Attributes{ContentType: "x/y", Metadata: map[string]string{"Key": "ü"}}}, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.check(string(content)); err != nil || o.MD5 == nil {
		t.Fatal(err, o)
	}
	if get(t, m, "big") != string(content) {
		t.Fatal("content differs")
	}
	r, err := m.Open(ctx, "data", "big")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const from, length = largestFetch - 100, 2*largestFetch + 17
	if _, err := r.Seek(from, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := r.(*s3Reader).Prepare(length); err != nil {
		t.Fatal(err)
	}
	part, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(part, content[from:from+length]) {
		t.Fatalf("%d bytes, %v", len(part), err)
	}
	c, err := m.Compose(ctx, ComposeRequest{Bucket: "data", Name: "twice", Sources: []ComposeSource{{Name: "big"}, {Name: "big"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.check(string(content) + string(content)); err != nil || c.Components != 2 || c.MD5 != nil {
		t.Fatal(err, c)
	}
	if get(t, m, "twice") != string(content)+string(content) {
		t.Fatal("content differs")
	}
	_, err = m.Put(ctx, PutRequest{Bucket: "data", Name: "big"}, &brokenReader{n: 2*partSize + 1})
	wantErr(t, err, errBroken)
	if get(t, m, "big") != string(content) {
		t.Fatal("a broken write changed the object")
	}
	for u := range m.s3.ListIncompleteUploads(ctx, "data", "", true) {
		t.Errorf("the server still has an upload in parts of %q", u.Key)
	}
}

func TestMinIO_IndexLost(t *testing.T) {
	s := startMinIO(t)
	m := s.open(t, t.TempDir())
	newBucket(t, m)
	ctx := t.Context()
	if _, err := m.CreateBucket(ctx, Bucket{Name: "under_score"}); err != nil {
		t.Fatal(err)
	}
	for _, n := range hurtful {
		put(t, m, n, "content of "+n)
	}
	long := map[string]string{"long": strings.Repeat("ü", 3000)}
	_, err := m.Put(ctx, PutRequest{Bucket: "data", Name: "attributes", Attributes: Attributes{Metadata: long, ContentDisposition: "ü"}}, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Put(ctx, PutRequest{Bucket: "data", Name: "big"}, bytes.NewReader(randomBytes(partSize+1))); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"a", "a/b", "big"} {
		if _, err := m.Update(ctx, UpdateRequest{Bucket: "data", Name: n, Change: func(a *Attributes) error { a.ContentType = "patched"; return nil }}); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"big": "copy of big", "a/b": "copy of a/b"} {
		if _, err := m.Copy(ctx, CopyRequest{FromBucket: "data", From: from, Bucket: "data", Name: to}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Compose(ctx, ComposeRequest{Bucket: "data", Name: "composed", Sources: []ComposeSource{{Name: "a"}, {Name: "a/b"}}}); err != nil {
		t.Fatal(err)
	}
	want, err := m.List(ctx, "data", ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fresh := s.open(t, t.TempDir())
	got, err := fresh.List(ctx, "data", ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	was, _ := m.Buckets(ctx)
	if is, err := fresh.Buckets(ctx); err != nil || cmp.Diff(was, is) != "" {
		t.Fatal(err, cmp.Diff(was, is))
	}
	for _, n := range hurtful {
		if get(t, fresh, n) != "content of "+n {
			t.Errorf("%q differs", n)
		}
	}
	if o := put(t, fresh, "a", "newer"); o.Generation <= want.Objects[len(want.Objects)-1].Generation {
		t.Error("generations went back")
	}
}

func TestMinIO_ObjectsOfOthers(t *testing.T) {
	s := startMinIO(t)
	m := s.open(t, t.TempDir())
	newBucket(t, m)
	ctx := t.Context()
	theirs := func(key, content string) {
		_, err := m.s3.PutObject(ctx, "data", key, strings.NewReader(content), int64(len(content)), "", "",
			minio.PutObjectOptions{ContentType: "text/csv", UserMetadata: map[string]string{"owner": "them"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(t, m, "ours", "ours")
	theirs("folder/below/x", "theirs")
	theirs("theirs", "theirs")
	page, err := m.List(ctx, "data", ListOptions{Delimiter: "/"})
	if err != nil || !slices.Equal(names(page), []string{"ours", "theirs"}) || !slices.Equal(page.Prefixes, []string{"folder/"}) {
		t.Fatalf("%v %v %v", names(page), page.Prefixes, err)
	}
	o, err := m.Stat(ctx, "data", "theirs")
	if err != nil || o.ContentType != "text/csv" || o.Metadata["owner"] != "them" || o.Size != 6 || o.Generation == 0 || !o.NoCRC32C || o.MD5 == nil {
		t.Fatalf("%+v %v", o, err)
	}
	// They overwrite ours: it is another generation, with their content.
	before, _ := m.Stat(ctx, "data", "ours")
	theirs("ours", "no longer ours")
	after, err := m.Stat(ctx, "data", "ours")
	if err != nil || after.Generation == before.Generation || get(t, m, "ours") != "no longer ours" {
		t.Fatalf("%+v %v", after, err)
	}
	wantErr(t, m.Delete(ctx, "data", "ours", Conditions{GenerationMatch: &before.Generation}), ErrConditionNotMet)
	// What we say of theirs is kept, also without the index.
	if _, err := m.Update(ctx, UpdateRequest{Bucket: "data", Name: "theirs", Change: func(a *Attributes) error { a.ContentType = "patched"; return nil }}); err != nil {
		t.Fatal(err)
	}
	fresh := s.open(t, t.TempDir())
	if o, err := fresh.Stat(ctx, "data", "theirs"); err != nil || o.ContentType != "patched" || o.Metageneration != 2 {
		t.Fatalf("%+v %v", o, err)
	}
	// They delete.
	if err := m.s3.RemoveObject(ctx, "data", "theirs", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = m.Open(ctx, "data", "theirs")
	wantKind(t, err, ml.NotFound)
	if page, err := m.List(ctx, "data", ListOptions{}); err != nil || !slices.Equal(names(page), []string{"folder/below/x", "ours"}) {
		t.Fatalf("%v %v", names(page), err)
	}
	// A copy and a composition of theirs know the checksum that theirs lacks.
	if o, err := m.Compose(ctx, ComposeRequest{Bucket: "data", Name: "composed", Sources: []ComposeSource{{Name: "folder/below/x"}}}); err != nil || o.NoCRC32C || o.check("theirs") != nil {
		t.Fatalf("%+v %v", o, err)
	}
	done, err := m.Reindex(ctx, func(Reindexed) {})
	if err != nil || done.Objects != 3 {
		t.Fatalf("%+v %v", done, err)
	}
}

// TestMinIO_ManyPages lists more than S3 does at a time.
func TestMinIO_ManyPages(t *testing.T) {
	s := startMinIO(t)
	m := s.open(t, t.TempDir())
	newBucket(t, m)
	ctx := t.Context()
	var want []string
	var g errgroup.Group
	g.SetLimit(asking)
	for i := range 1200 {
		name := fmt.Sprintf("run/%02d/%04d", i/100, i)
		want = append(want, name)
		g.Go(func() error {
			_, err := m.s3.PutObject(ctx, "data", name, strings.NewReader("x"), 1, "", "", minio.PutObjectOptions{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	want = append(want, "run/05//")
	put(t, m, "run/05//", "hashed")
	slices.Sort(want)
	var got []string
	for o := (ListOptions{Prefix: "run/", Max: 700}); ; {
		page, err := m.List(ctx, "data", o)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, names(page)...)
		if o.StartAfter = page.Next; page.Next == "" {
			break
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	page, err := m.List(ctx, "data", ListOptions{Prefix: "run/", Delimiter: "/"})
	if err != nil || len(page.Prefixes) != 12 || len(page.Objects) != 0 {
		t.Fatalf("%v %d objects, %v", page.Prefixes, len(page.Objects), err)
	}
	if page, err = m.List(ctx, "data", ListOptions{StartOffset: "run/10/1000", EndOffset: "run/10/1003"}); err != nil || len(page.Objects) != 3 {
		t.Fatalf("%v %v", names(page), err)
	}
}

func TestMinIO_UploadSurvivesRestarts(t *testing.T) {
	s := startMinIO(t)
	dir := t.TempDir()
	ctx := t.Context()
	m, err := OpenMinIO(ctx, s.options(dir))
	if err != nil {
		t.Fatal(err)
	}
	newBucket(t, m)
	content := randomBytes(2*partSize + 7)
	id := begin(t, m, PutRequest{Name: "x", By: "somebody"})
	const piece = 5<<20 + 256<<10
	for at := 0; at < len(content); at += piece {
		end := min(at+piece, len(content))
		u, err := m.AppendUpload(ctx, id, Chunk{Offset: int64(at), Length: int64(end - at), Total: int64(len(content)), Body: bytes.NewReader(content[at:end])})
		if err != nil || u.By != "somebody" {
			t.Fatal(u, err)
		}
		if end == len(content) {
			if err := u.Object.check(string(content)); err != nil {
				t.Fatal(err)
			}
			break
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if m, err = OpenMinIO(ctx, s.options(dir)); err != nil {
			t.Fatal(err)
		}
		if u, err = m.Upload(ctx, id); err != nil || u.Size != int64(end) {
			t.Fatalf("%+v %v, want %d bytes", u, err, end)
		}
	}
	defer m.Close()
	if get(t, m, "x") != string(content) {
		t.Fatal("content differs")
	}
	if files, err := os.ReadDir(m.tailFile("")); err != nil || len(files) > 0 {
		t.Fatal(files, err)
	}
	if u, err := m.Upload(ctx, id); err != nil || u.Object == nil {
		t.Fatal(u, err)
	}
}

func TestMinIO_ServerGoesAway(t *testing.T) {
	s := startMinIO(t)
	m := s.open(t, t.TempDir())
	newBucket(t, m)
	ctx := t.Context()
	put(t, m, "kept", "kept")
	content := randomBytes(3 * partSize)
	id := begin(t, m, PutRequest{Name: "x"})
	dying := io.MultiReader(bytes.NewReader(content[:partSize+100]), readerFunc(func([]byte) (int, error) { s.kill(); return 0, io.EOF }), bytes.NewReader(content[partSize+100:]))
	_, err := m.AppendUpload(ctx, id, Chunk{Length: int64(len(content)), Total: int64(len(content)), Body: dying})
	if k := ml.KindOf(err); k != ml.Unavailable && k != ml.InvalidArgument {
		t.Fatalf("got %v", err)
	}
	for what, err := range map[string]error{
		"stat":   second(m.Stat(ctx, "data", "kept")),
		"open":   second(m.Open(ctx, "data", "kept")),
		"put":    second(m.Put(ctx, PutRequest{Bucket: "data", Name: "y"}, strings.NewReader("y"))),
		"list":   second(m.List(ctx, "data", ListOptions{})),
		"delete": m.Delete(ctx, "data", "kept", Conditions{}),
		"check":  m.Check(ctx),
	} {
		if ml.KindOf(err) != ml.Unavailable || !strings.Contains(err.Error(), s.endpoint) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	s.start()
	if get(t, m, "kept") != "kept" {
		t.Fatal("content differs")
	}
	u, err := m.Upload(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	u, err = m.AppendUpload(ctx, id, Chunk{Offset: u.Size, Length: int64(len(content)) - u.Size, Total: int64(len(content)), Body: bytes.NewReader(content[u.Size:])})
	if err != nil || u.Object == nil || get(t, m, "x") != string(content) {
		t.Fatal(u, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func second[T any](_ T, err error) error { return err }

func TestOpenMinIO_Refused(t *testing.T) {
	s := startMinIO(t)
	ctx := t.Context()
	o := s.options(t.TempDir())
	o.SecretKey = "wrong"
	_, err := OpenMinIO(ctx, o)
	wantKind(t, err, ml.FailedPrecondition)
	if strings.Contains(err.Error(), "wrong") {
		t.Error("the error shows the secret")
	}
	o = s.options(t.TempDir())
	o.Endpoint = "127.0.0.1:9000"
	_, err = OpenMinIO(ctx, o)
	wantKind(t, err, ml.InvalidArgument)
	o = s.options(t.TempDir())
	s.kill()
	_, err = OpenMinIO(ctx, o)
	wantKind(t, err, ml.Unavailable)
	if errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A server that encrypts gives ETags that are no MD5s: all parts are named all
// the same.
func TestMultipart_Completion(t *testing.T) {
	md5s := multipart{Parts: []part{{ETag: "0123456789abcdef0123456789abcdef"}, {ETag: "00000000000000000000000000000000"}}}
	if parts, etag := md5s.completion(); len(parts) != 2 || !strings.HasSuffix(etag, "-2") {
		t.Errorf("%v %q", parts, etag)
	}
	others := multipart{Parts: []part{{ETag: "opaque"}, {ETag: "00000000000000000000000000000000"}, {ETag: "more"}}}
	parts, etag := others.completion()
	if len(parts) != 3 || parts[2].ETag != "more" || parts[2].PartNumber != 3 || etag != "" {
		t.Errorf("%v %q", parts, etag)
	}
}
