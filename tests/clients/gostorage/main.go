// Gostorage drives Google's Go client for Cloud Storage, unmodified, against a
// daemon. The bucket gs://gostorage is there and empty.
package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // the client itself tries for ever
	defer cancel()
	client, err := storage.NewClient(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer client.Close()
	p := program{ctx, client, client.Bucket("gostorage")}
	failed := false
	for _, piece := range []struct {
		name string
		run  func() error
	}{
		{"files", p.files}, {"pieces", p.pieces}, {"lists", p.lists}, {"copies", p.copies}, {"composes", p.composes},
		{"conditions", p.conditions}, {"attributes", p.attributes}, {"moves", p.moves}, {"buckets", p.buckets},
	} {
		if err := piece.run(); err != nil {
			failed = true
			fmt.Printf("FAILED %s: %v\n", piece.name, err)
			continue
		}
		fmt.Println("ok", piece.name)
	}
	if failed {
		os.Exit(1)
	}
	fmt.Println("all passed")
}

type program struct {
	ctx    context.Context
	client *storage.Client
	bucket *storage.BucketHandle
}

func (p *program) put(name, content string) error {
	w := p.bucket.Object(name).NewWriter(p.ctx)
	if _, err := io.WriteString(w, content); err != nil {
		return err
	}
	return w.Close()
}

func (p *program) want(name, content string) error {
	r, err := p.bucket.Object(name).NewReader(p.ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err == nil && string(b) != content {
		err = fmt.Errorf("%s has %d bytes %.40q, want %d bytes %.40q", name, len(b), b, len(content), content)
	}
	return err
}

// code wants an error of the API with a status.
func code(err error, want int) error {
	var e *googleapi.Error
	if !errors.As(err, &e) || e.Code != want {
		return fmt.Errorf("got %v, want status %d", err, want)
	}
	return nil
}

func (p *program) files() error {
	content := "hello, Wörld"
	w := p.bucket.Object("files/ü +%?#.txt").NewWriter(p.ctx)
	w.ContentType, w.Metadata, w.MD5 = "text/plain", map[string]string{"Colour": "blue"}, sum(content)
	w.CRC32C, w.SendCRC32C = crc32.Checksum([]byte(content), crc32.MakeTable(crc32.Castagnoli)), true
	if _, err := io.WriteString(w, content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	a := w.Attrs()
	if a.Size != int64(len(content)) || a.ContentType != "text/plain" || a.Metadata["Colour"] != "blue" || !bytes.Equal(a.MD5, sum(content)) || a.CRC32C != w.CRC32C {
		return fmt.Errorf("attributes %+v", a)
	}
	r, err := p.bucket.Object(a.Name).NewRangeReader(p.ctx, 7, 3)
	if err != nil {
		return err
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "W\xc3\xb6" {
		return fmt.Errorf("range: %q, %v", b, err)
	}
	bad := p.bucket.Object("files/bad").NewWriter(p.ctx)
	bad.MD5 = sum("something else")
	io.WriteString(bad, content)
	if err := code(bad.Close(), http.StatusBadRequest); err != nil {
		return err
	}
	if _, err := p.bucket.Object("files/absent").NewReader(p.ctx); !errors.Is(err, storage.ErrObjectNotExist) {
		return fmt.Errorf("absent: %v", err)
	}
	return p.want(a.Name, content)
}

func sum(s string) []byte {
	b := md5.Sum([]byte(s))
	return b[:]
}

// pieces uploads in pieces of 256 KiB, and gives up another such upload.
func (p *program) pieces() error {
	content := make([]byte, 1<<20+12345)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range content {
		content[i] = byte(rnd.Uint32())
	}
	w := p.bucket.Object("pieces/x").NewWriter(p.ctx)
	w.ChunkSize = 256 << 10
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := p.want("pieces/x", string(content)); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	w = p.bucket.Object("pieces/dropped").NewWriter(ctx)
	w.ChunkSize = 256 << 10
	if _, err := w.Write(content); err != nil {
		return err
	}
	cancel()
	if err := w.Close(); err == nil {
		return errors.New("a cancelled upload succeeded")
	}
	if _, err := p.bucket.Object("pieces/dropped").Attrs(p.ctx); !errors.Is(err, storage.ErrObjectNotExist) {
		return fmt.Errorf("a cancelled upload left %v", err)
	}
	return nil
}

func (p *program) lists() error {
	for _, n := range []string{"a", "b/x.csv", "b/y.txt", "b/c/z.csv", "d"} {
		if err := p.put("lists/"+n, n); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		q    storage.Query
		want []string
	}{
		{storage.Query{Prefix: "lists/"}, []string{"lists/a", "lists/b/c/z.csv", "lists/b/x.csv", "lists/b/y.txt", "lists/d"}},
		{storage.Query{Prefix: "lists/", Delimiter: "/"}, []string{"lists/a", "lists/d", "lists/b/"}},
		{storage.Query{MatchGlob: "lists/**.csv"}, []string{"lists/b/c/z.csv", "lists/b/x.csv"}},
		{storage.Query{Prefix: "lists/", StartOffset: "lists/b/x", EndOffset: "lists/d"}, []string{"lists/b/x.csv", "lists/b/y.txt"}},
	} {
		var got []string
		it := p.bucket.Objects(p.ctx, &c.q)
		it.PageInfo().MaxSize = 2
		for {
			a, err := it.Next()
			if errors.Is(err, iterator.Done) {
				break
			}
			if err != nil {
				return err
			}
			got = append(got, a.Name+a.Prefix)
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			return fmt.Errorf("list %+v: %q", c.q, got)
		}
	}
	return nil
}

func (p *program) copies() error {
	if err := p.put("copies/a", "content"); err != nil {
		return err
	}
	c := p.bucket.Object("copies/b").CopierFrom(p.bucket.Object("copies/a"))
	c.ContentType = "x/y"
	a, err := c.Run(p.ctx)
	if err != nil {
		return err
	}
	if a.ContentType != "x/y" {
		return fmt.Errorf("copy is %+v", a)
	}
	_, err = p.bucket.Object("copies/b").If(storage.Conditions{DoesNotExist: true}).CopierFrom(p.bucket.Object("copies/a")).Run(p.ctx)
	if err := code(err, http.StatusPreconditionFailed); err != nil {
		return err
	}
	return p.want("copies/b", "content")
}

func (p *program) composes() error {
	var sources []*storage.ObjectHandle
	for _, n := range []string{"1", "2", "3"} {
		if err := p.put("composes/"+n, n); err != nil {
			return err
		}
		sources = append(sources, p.bucket.Object("composes/"+n))
	}
	c := p.bucket.Object("composes/all").ComposerFrom(sources...)
	c.ContentType = "text/plain"
	a, err := c.Run(p.ctx)
	if err != nil {
		return err
	}
	if a.ComponentCount != 3 || a.ContentType != "text/plain" || len(a.MD5) > 0 {
		return fmt.Errorf("composed %+v", a)
	}
	return p.want("composes/all", "123")
}

func (p *program) conditions() error {
	o := p.bucket.Object("conditions/a")
	w := o.If(storage.Conditions{DoesNotExist: true}).NewWriter(p.ctx)
	io.WriteString(w, "1")
	if err := w.Close(); err != nil {
		return err
	}
	first := w.Attrs().Generation
	again := o.If(storage.Conditions{DoesNotExist: true}).NewWriter(p.ctx)
	io.WriteString(again, "2")
	if err := code(again.Close(), http.StatusPreconditionFailed); err != nil {
		return err
	}
	match := o.If(storage.Conditions{GenerationMatch: first}).NewWriter(p.ctx)
	io.WriteString(match, "3")
	if err := match.Close(); err != nil {
		return err
	}
	if err := code(o.If(storage.Conditions{GenerationMatch: first}).Delete(p.ctx), http.StatusPreconditionFailed); err != nil {
		return err
	}
	if _, err := o.Generation(first).Attrs(p.ctx); !errors.Is(err, storage.ErrObjectNotExist) {
		return fmt.Errorf("an old generation: %v", err)
	}
	return p.want("conditions/a", "3")
}

func (p *program) attributes() error {
	if err := p.put("attributes/a", "a"); err != nil {
		return err
	}
	o := p.bucket.Object("attributes/a")
	a, err := o.Update(p.ctx, storage.ObjectAttrsToUpdate{ContentType: "x/y", Metadata: map[string]string{"k": "v"}, CacheControl: "no-store"})
	if err != nil {
		return err
	}
	if a.ContentType != "x/y" || a.Metadata["k"] != "v" || a.CacheControl != "no-store" || a.Metageneration != 2 {
		return fmt.Errorf("updated %+v", a)
	}
	if a, err = o.Update(p.ctx, storage.ObjectAttrsToUpdate{ContentType: "", Metadata: map[string]string{}}); err != nil {
		return err
	}
	if len(a.Metadata) > 0 {
		return fmt.Errorf("metadata is %v", a.Metadata)
	}
	_, err = o.If(storage.Conditions{MetagenerationMatch: 1}).Update(p.ctx, storage.ObjectAttrsToUpdate{ContentType: "z"})
	return code(err, http.StatusPreconditionFailed)
}

func (p *program) moves() error {
	if err := p.put("moves/a", "a"); err != nil {
		return err
	}
	if _, err := p.bucket.Object("moves/a").Move(p.ctx, storage.MoveObjectDestination{Object: "moves/b"}); err != nil {
		return err
	}
	if _, err := p.bucket.Object("moves/a").Attrs(p.ctx); !errors.Is(err, storage.ErrObjectNotExist) {
		return fmt.Errorf("after the move: %v", err)
	}
	if err := p.want("moves/b", "a"); err != nil {
		return err
	}
	if err := p.bucket.Object("moves/b").Delete(p.ctx); err != nil {
		return err
	}
	if err := p.bucket.Object("moves/b").Delete(p.ctx); !errors.Is(err, storage.ErrObjectNotExist) {
		return fmt.Errorf("a second delete: %v", err)
	}
	return nil
}

func (p *program) buckets() error {
	b := p.client.Bucket("gostorage-made")
	if err := b.Create(p.ctx, "hearth", &storage.BucketAttrs{Labels: map[string]string{"team": "vision"}}); err != nil {
		return err
	}
	if err := code(b.Create(p.ctx, "hearth", nil), http.StatusConflict); err != nil {
		return err
	}
	var u storage.BucketAttrsToUpdate
	u.SetLabel("env", "test")
	u.DeleteLabel("team")
	a, err := b.Update(p.ctx, u)
	if err != nil {
		return err
	}
	if len(a.Labels) != 1 || a.Labels["env"] != "test" {
		return fmt.Errorf("labels are %v", a.Labels)
	}
	if err := b.Delete(p.ctx); err != nil {
		return err
	}
	if _, err := b.Attrs(p.ctx); !errors.Is(err, storage.ErrBucketNotExist) {
		return fmt.Errorf("after the delete: %v", err)
	}
	return nil
}
