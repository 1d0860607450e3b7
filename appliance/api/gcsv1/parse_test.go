package gcsv1

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth/storage/object"
)

func TestBoundary(t *testing.T) {
	for contentType, want := range map[string]string{
		`multipart/related; boundary=abc`:                        "abc",
		`multipart/related; boundary="a b;c"`:                    "a b;c",
		`multipart/related; boundary='===1=='`:                   "===1==",
		`multipart/related; type="x; boundary=no"; boundary=yes`: "yes",
		`multipart/related;boundary=a;charset=utf-8`:             "a",
		`multipart/related; BOUNDARY = a`:                        "a",
		`multipart/related`:                                      "",
		`multipart/related; boundary=`:                           "",
		`multipart/related; boundary=""`:                         "",
		`multipart/related; boundary='open`:                      "'open",
	} {
		got, err := boundary(contentType)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v; want %q", contentType, got, err, want)
		}
	}
}

// listOfOne is a page with one object.
func listOfOne() *objectList {
	o := &object.Object{Name: "n", Size: 1, NoCRC32C: true, Attributes: object.Attributes{Metadata: map[string]string{"a": "1", "b": "2"}}}
	return &objectList{next: "t", page: &object.ListResult{Prefixes: []string{"p"}, Objects: []*object.Object{o}}}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Fatalf("%v: %s, %s", err, a, b)
	}
	return cmp.Equal(x, y)
}

func TestMask(t *testing.T) {
	l := listOfOne()
	all := string(l.appendJSON(nil, nil))
	item := string(newObjectJSON("", nil).add(nil, l.page.Objects[0]))
	for s, want := range map[string]string{
		"":                                 all,
		"*":                                all,
		"items/name":                       `{"items":[{"name":"n"}]}`,
		"items(name,size),prefixes":        `{"prefixes":["p"],"items":[{"name":"n","size":"1"}]}`,
		"items/name,items/size":            `{"items":[{"name":"n","size":"1"}]}`,
		"items/name,items":                 `{"items":[` + item + `]}`,
		"items,items/name":                 `{"items":[` + item + `]}`,
		"items(name),items(size)":          `{"items":[{"name":"n","size":"1"}]}`,
		"items/metadata/a":                 `{"items":[{"metadata":{"a":"1"}}]}`,
		"items(metadata(b)),nextPageToken": `{"nextPageToken":"t","items":[{"metadata":{"b":"2"}}]}`,
		"items/*,kind":                     `{"kind":"storage#objects","items":[` + item + `]}`,
		"unknown,items/unknown,kind":       `{"kind":"storage#objects","items":[{}]}`,
		"items(":                           "",
		"items)":                           "",
		"items(name":                       "",
		"items//name":                      "",
		",":                                "",
		"items()":                          "",
	} {
		m, err := parseMask(s)
		if (err == nil) != (want != "") {
			t.Errorf("%q: %v", s, err)
		}
		if err != nil {
			continue
		}
		got := l.appendJSON(nil, m)
		if whole, err := m.marshal(nil, json.RawMessage(l.appendJSON(nil, nil))); err != nil || !sameJSON(t, whole, got) {
			t.Errorf("%q: %s, and pruned %s, %v", s, got, whole, err)
		}
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Errorf("%q: %s", s, d)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("items(name,size),prefixes")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := parseMask(s); err == nil {
			l := listOfOne()
			got := l.appendJSON(nil, m)
			if whole, err := m.marshal(nil, json.RawMessage(l.appendJSON(nil, nil))); err != nil || !sameJSON(t, whole, got) {
				t.Fatalf("%s, and pruned %s, %v", got, whole, err)
			}
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=0-9", int64(5))
	f.Add("bytes=-3", int64(10))
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if size < 0 {
			return
		}
		r, ok := parseRange(s, size)
		if ok && r.length > 0 && (r.first < 0 || r.first >= size || r.length > size-r.first) {
			t.Fatalf("%q of %d bytes: %+v", s, size, r)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-9/10")
	f.Add("bytes */*")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseContentRange(s)
		if err == nil && !r.query && (r.first < 0 || r.last < r.first || r.total != -1 && r.total <= r.last) {
			t.Fatalf("%q: %+v", s, r)
		}
	})
}

func FuzzPageToken(f *testing.F) {
	f.Add(pageToken("a/b"))
	f.Fuzz(func(t *testing.T, s string) {
		if after, err := parsePageToken(s); err == nil && s != "" && after == "" {
			t.Fatalf("%q says nothing", s)
		}
		if s == "" {
			return
		}
		if got, err := parsePageToken(pageToken(s)); err != nil || got != s {
			t.Fatalf("%q came back as %q, %v", s, got, err)
		}
	})
}

func FuzzMultipart(f *testing.F) {
	f.Add("multipart/related; boundary='=='", []byte("--==\n\n{}\n--==\n\nx\n--==--\n"), []byte("content"))
	f.Add("multipart/related; boundary=\"a b\"; x=y", []byte("--a b\r\nA: b\r\n\r\n{}\r\n--a b--"), []byte("\r\n--a"))
	f.Fuzz(func(t *testing.T, contentType string, b, content []byte) {
		bound, err := boundary(contentType)
		if err != nil {
			return
		}
		r := multipart.NewReader(bytes.NewReader(b), bound)
		for {
			p, err := nextPart(r)
			if err != nil {
				break
			}
			_, _ = io.Copy(io.Discard, p)
		}
		roundTripMultipart(t, bound, content)
	})
}

// roundTripMultipart writes an upload the way the standard library does, and
// reads it.
func roundTripMultipart(t *testing.T, bound string, content []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if w.SetBoundary(bound) != nil || bytes.Contains(content, []byte(bound)) {
		return // the standard does not have it
	}
	for _, c := range [][]byte{[]byte("{}"), content} {
		p, err := w.CreatePart(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := boundary(w.FormDataContentType())
	if err != nil || got != bound {
		t.Fatalf("boundary %q came back as %q, %v", bound, got, err)
	}
	r := multipart.NewReader(&b, got)
	for _, want := range [][]byte{[]byte("{}"), content} {
		p, err := nextPart(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{'sourceObjects': [{'name': 'it's'}]}`))
	f.Add([]byte(`{"sourceObjects":[{"name":"a","objectPreconditions":{"ifGenerationMatch":"1"}}]}`))
	f.Add([]byte(`{'sourceObjects': [{'name': 'a\b"c','objectPrecondition':{'ifGenerationMatch':1}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var in composeInput
		err := decodeJSON(bytes.NewReader(b), &in)
		if json.Valid(b) && json.Unmarshal(b, new(composeInput)) == nil && err != nil {
			t.Fatalf("valid JSON was refused: %v", err)
		}
	})
}

// FuzzSingleQuotes reads names as TensorFlow would send them.
func FuzzSingleQuotes(f *testing.F) {
	f.Add("it's", ".tmpcompose/it's.0")
	f.Add(`a"b\c`, "ü")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, name := range []string{a, b} {
			if object.CheckObjectName(name) != nil || strings.Contains(name, "'") && strings.ContainsAny(name, ",:]} \t") || strings.HasSuffix(name, "'") {
				return // nothing tells such a quote from the end of a string
			}
		}
		var in composeInput
		sent := "{'sourceObjects': [{'name': '" + a + "'},{'name': '" + b + "','objectPrecondition':{'ifGenerationMatch':7}}]}"
		if err := decodeJSON(strings.NewReader(sent), &in); err != nil || len(in.SourceObjects) != 2 || in.SourceObjects[0].Name != a || in.SourceObjects[1].Name != b {
			t.Fatalf("%s: %+v, %v", sent, in, err)
		}
	})
}

func FuzzBucketInput(f *testing.F) {
	f.Add([]byte(`{"labels":{"a":null},"cors":[{}],"versioning":{"enabled":false}}`), []byte(`{"cors":null,"iamConfiguration":{"a":{"b":1}}}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var b object.Bucket
		for _, raw := range [][]byte{first, second} {
			var in bucketInput
			if decodeJSON(bytes.NewReader(raw), &in) != nil || in.check() != nil || in.merge(&b) != nil {
				return
			}
		}
		if _, err := json.Marshal(b); err != nil {
			t.Fatalf("cannot be kept: %v", err)
		}
	})
}
