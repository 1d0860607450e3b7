package gcsv1

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func TestMask(t *testing.T) {
	for s, want := range map[string]string{
		"":                                 `{"kind":"k","nextPageToken":"t","prefixes":["p"],"items":[{"name":"n","size":"1","metadata":{"a":"1","b":"2"}}]}`,
		"*":                                `{"kind":"k","nextPageToken":"t","prefixes":["p"],"items":[{"name":"n","size":"1","metadata":{"a":"1","b":"2"}}]}`,
		"items/name":                       `{"items":[{"name":"n"}]}`,
		"items(name,size),prefixes":        `{"prefixes":["p"],"items":[{"name":"n","size":"1"}]}`,
		"items/name,items/size":            `{"items":[{"name":"n","size":"1"}]}`,
		"items/name,items":                 `{"items":[{"name":"n","size":"1","metadata":{"a":"1","b":"2"}}]}`,
		"items,items/name":                 `{"items":[{"name":"n","size":"1","metadata":{"a":"1","b":"2"}}]}`,
		"items(name),items(size)":          `{"items":[{"name":"n","size":"1"}]}`,
		"items/metadata/a":                 `{"items":[{"metadata":{"a":"1"}}]}`,
		"items(metadata(b)),nextPageToken": `{"nextPageToken":"t","items":[{"metadata":{"b":"2"}}]}`,
		"items/*,kind":                     `{"kind":"k","items":[{"name":"n","size":"1","metadata":{"a":"1","b":"2"}}]}`,
		"unknown,items/unknown,kind":       `{"kind":"k","items":[{}]}`,
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
		v := &objectList{Kind: "k", NextPageToken: "t", Prefixes: []string{"p"}, Items: []*objectResource{{Name: "n", Size: "1", Metadata: map[string]string{"a": "1", "b": "2"}}}}
		m.apply(v)
		got, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
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
			m.apply(&objectList{Items: []*objectResource{{Name: "n", Metadata: map[string]string{"a": "1"}}}})
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
	f.Add("multipart/related; boundary='=='", []byte("--==\n\n{}\n--==\n\nx\n--==--\n"))
	f.Fuzz(func(t *testing.T, contentType string, b []byte) {
		bound, err := boundary(contentType)
		if err != nil {
			return
		}
		r := multipart.NewReader(bytes.NewReader(b), bound)
		for {
			p, err := nextPart(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, p)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{'sourceObjects': [{'name': 'it's'}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var in composeInput
		err := decodeJSON(bytes.NewReader(b), &in)
		if json.Valid(b) && json.Unmarshal(b, new(composeInput)) == nil && err != nil {
			t.Fatalf("valid JSON was refused: %v", err)
		}
	})
}
