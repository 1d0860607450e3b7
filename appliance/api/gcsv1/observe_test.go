package gcsv1

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/storage/object"
)

// sender is the header by which these tests say who sends a request.
const sender = "X-Test-Sender"

// lineage collects what Observe is told.
type lineage chan string

func (l lineage) options(o *Options) {
	o.Who = func(r *http.Request) string { return r.Header.Get(sender) }
	o.Observe = func(_ *http.Request, by string, a Access) {
		verb := "reads"
		if a.Write {
			verb = "writes"
		}
		l <- fmt.Sprintf("%s %s %s/%s#%v %d", by, verb, a.Bucket, a.Name, a.Generation > 0, a.Bytes)
	}
}

// want compares with what is told next. A download is told when its last byte
// has gone, which the client may see before.
func (l lineage) want(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for range want {
		select {
		case s := <-l:
			got = append(got, s)
		case <-time.After(time.Minute):
			t.Fatalf("got only %q, want %q", got, want)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestObserve(t *testing.T) {
	l := make(lineage, 100)
	c := newClient(t, l.options)
	do := func(method, path, body string, headers ...string) *answer {
		t.Helper()
		return c.do(method, path, body, append(headers, sender, "job-1")...)
	}
	do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=a", "0123456789").want(200)
	l.want(t, "job-1 writes data/a#true 10")
	do("POST", "/upload/storage/v1/b/data/o?uploadType=multipart", "--x\r\n\r\n{\"name\":\"b\"}\r\n--x\r\n\r\n12345\r\n--x--", "Content-Type", "multipart/related; boundary=x").want(200)
	l.want(t, "job-1 writes data/b#true 5")
	do("GET", "/data/a", "").want(200)
	l.want(t, "job-1 reads data/a#true 10")
	do("GET", "/storage/v1/b/data/o/a?alt=media", "", "Range", "bytes=2-4").want(206)
	l.want(t, "job-1 reads data/a#true 3")
	do("POST", "/storage/v1/b/data/o/a/rewriteTo/b/data/o/c", "").want(200)
	l.want(t, "job-1 reads data/a#true 10", "job-1 writes data/c#true 10")
	do("POST", "/storage/v1/b/data/o/c/moveTo/o/d", "").want(200)
	l.want(t, "job-1 reads data/c#true 10", "job-1 writes data/d#true 10")
	do("POST", "/storage/v1/b/data/o/e/compose", `{"sourceObjects":[{"name":"a"},{"name":"b"}]}`).want(200)
	l.want(t, "job-1 reads data/a#true 10", "job-1 reads data/b#true 5", "job-1 writes data/e#true 15")
	c.batch("/batch", batchBody("POST /storage/v1/b/data/o/b/copyTo/b/data/o/f HTTP/1.1\r\n"+sender+": job-1\r\n\r\n"))
	l.want(t, "job-1 reads data/b#true 5", "job-1 writes data/f#true 5")

	text := strings.Repeat("z", 1000)
	do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=z&contentEncoding=gzip", compress(t, text)).want(200)
	do("GET", "/data/z", "").want(200).wantBody(text)
	l.want(t, fmt.Sprintf("job-1 writes data/z#true %d", len(compress(t, text))), "job-1 reads data/z#true 1000")

	// Nothing of this reads or writes content.
	do("HEAD", "/data/a", "").want(200)
	do("GET", "/data/a", "", "Range", "bytes=99-").want(416)
	do("GET", "/storage/v1/b/data/o/a", "").want(200)
	do("PATCH", "/storage/v1/b/data/o/a", "{}").want(200)
	do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=a&ifGenerationMatch=0", "1").want(412)
	do("DELETE", "/storage/v1/b/data/o/a", "").want(204)
	do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=end", "").want(200)
	l.want(t, "job-1 writes data/end#true 0")
}

func TestObserve_Resumable(t *testing.T) {
	l := make(lineage, 100)
	c := newClient(t, l.options)
	location := c.do("POST", begin, "", sender, "job-1").want(200).header.Get("Location")
	c.do("PUT", location, "01234", "Content-Range", "bytes 0-4/10").want(308)
	c.do("PUT", location, "56789", "Content-Range", "bytes 5-9/10").want(200)
	// The client that asks again learns the end; nothing is written by that.
	c.do("PUT", location, "", "Content-Range", "bytes */10").want(200)
	c.do("PUT", location, "56789", "Content-Range", "bytes 5-9/10").want(200)
	l.want(t, "job-1 writes data/x#true 10")
	location = c.do("POST", begin, "").want(200).header.Get("Location")
	c.do("PUT", location, "0123", sender, "job-2").want(200)
	l.want(t, "job-2 writes data/x#true 4")
}

func TestObserve_CutOff(t *testing.T) {
	told := make(chan Access, 1)
	c := newClient(t, func(o *Options) { o.Observe = func(_ *http.Request, _ string, a Access) { told <- a } })
	const size = 64 << 20
	if _, err := c.store.Put(t.Context(), putRequestOf("big"), io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	res, err := c.http.Get(c.base + "/data/big")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, res.Body, 1000); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if a := <-told; a.Bytes < 1000 || a.Bytes >= size || a.Write || a.Name != "big" {
		t.Errorf("told %+v", a)
	}
}

func TestResumable_BelongsToItsSender(t *testing.T) {
	c := newClient(t, func(o *Options) { o.Who = func(r *http.Request) string { return r.Header.Get(sender) } })
	for _, test := range []struct {
		began, resumed string
		status         int
	}{
		{"job-1", "job-1", 308}, {"job-1", "", 308}, {"", "job-2", 308}, {"", "", 308}, {"job-1", "job-2", 403},
	} {
		location := c.do("POST", begin, "", sender, test.began).want(200).header.Get("Location")
		for _, r := range []string{"bytes */10", "bytes 0-1/10"} {
			if a := c.do("PUT", location, map[bool]string{true: "01"}[r != "bytes */10"], "Content-Range", r, sender, test.resumed); a.status != test.status {
				t.Errorf("%+v: %s: %d %s", test, r, a.status, a.body)
			}
		}
		if test.status == 403 {
			c.do("DELETE", location, "", sender, test.resumed).wantError(403, "forbidden")
			c.do("PUT", location, "", "Content-Range", "bytes */10", sender, test.began).want(308).wantHeader("Range", "")
		}
		c.do("DELETE", location, "", sender, test.began).want(499)
		c.do("PUT", location, "", "Content-Range", "bytes */10", sender, test.began).wantError(404, "notFound")
	}
}

// overtaken is a store whose objects are overwritten just before they are copied
// or composed, the first times.
type overtaken struct {
	object.Store
	t     *testing.T
	times int
}

func (s *overtaken) overwrite(ctx context.Context, name string) {
	if s.times--; s.times >= 0 {
		if _, err := s.Put(ctx, putRequestOf(name), strings.NewReader("newer")); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *overtaken) Copy(ctx context.Context, r object.CopyRequest) (*object.Object, error) {
	s.overwrite(ctx, r.From)
	return s.Store.Copy(ctx, r)
}

func (s *overtaken) Compose(ctx context.Context, r object.ComposeRequest) (*object.Object, error) {
	s.overwrite(ctx, r.Sources[0].Name)
	return s.Store.Compose(ctx, r)
}

// TestDerive_Overtaken holds that what is told to have been read is what was.
func TestDerive_Overtaken(t *testing.T) {
	l := make(lineage, 100)
	store := &overtaken{t: t}
	c := newClient(t, func(o *Options) {
		l.options(o)
		store.Store, o.Store = o.Store, store
	})
	rewrite := func(query string) *answer {
		return c.do("POST", "/storage/v1/b/data/o/a/rewriteTo/b/data/o/b"+query, "")
	}
	c.put("a", "older one")
	store.times = 2
	rewrite("").want(200)
	l.want(t, " writes data/a#true 9", " reads data/a#true 5", " writes data/b#true 5")
	c.put("a", "older one")
	store.times = 1
	c.do("POST", "/storage/v1/b/data/o/c/compose", `{"sourceObjects":[{"name":"a"},{"name":"b"}]}`).want(200)
	l.want(t, " writes data/a#true 9", " reads data/a#true 5", " reads data/b#true 5", " writes data/c#true 10")
	// What the client insists on has gone meanwhile.
	g := c.put("a", "older one").json()["generation"].(string)
	store.times = 1
	rewrite("?ifSourceGenerationMatch="+g).wantError(412, "conditionNotMet")
	store.times = maxRaces
	rewrite("").wantError(503, "backendError")
	rewrite("?ifGenerationMatch=0").wantError(412, "conditionNotMet")
}
