package gcsv1

import (
	"strings"
	"testing"
)

func TestDownload_Ranges(t *testing.T) {
	c := newClient(t, nil)
	c.put("x", "0123456789")
	c.put("empty", "")
	for _, test := range []struct {
		name, header string
		status       int
		body, span   string
	}{
		{"x", "", 200, "0123456789", ""},
		{"x", "bytes=0-3", 206, "0123", "bytes 0-3/10"},
		{"x", "bytes=4-", 206, "456789", "bytes 4-9/10"},
		{"x", "bytes=-3", 206, "789", "bytes 7-9/10"},
		{"x", "bytes=-30", 206, "0123456789", "bytes 0-9/10"},
		{"x", "bytes=8-67108871", 206, "89", "bytes 8-9/10"},
		{"x", "bytes=0-0", 206, "0", "bytes 0-0/10"},
		{"x", "bytes=10-20", 416, "", "bytes */10"},
		{"x", "bytes=-0", 416, "", "bytes */10"},
		{"empty", "bytes=0-67108863", 416, "", "bytes */0"},
		{"empty", "", 200, "", ""},
		{"x", "bytes=3-1", 200, "0123456789", ""},
		{"x", "bytes=0-1,3-4", 200, "0123456789", ""},
		{"x", "bytes=99999999999999999999-", 200, "0123456789", ""},
		{"x", "lines=0-1", 200, "0123456789", ""},
	} {
		for _, path := range []string{"/data/", "/storage/v1/b/data/o/", "/download/storage/v1/b/data/o/"} {
			var headers []string
			if test.header != "" {
				headers = []string{"Range", test.header}
			}
			a := c.do("GET", path+test.name+"?alt=media", "", headers...)
			if a.status != test.status || test.status != 416 && a.body != test.body || a.header.Get("Content-Range") != test.span {
				t.Errorf("%s%s %q: %d %q %q", path, test.name, test.header, a.status, a.body, a.header.Get("Content-Range"))
			}
		}
	}
	tag := c.do("HEAD", "/data/x", "").header.Get("Etag")
	c.do("GET", "/data/x", "", "Range", "bytes=0-1", "If-Range", tag).want(206)
	c.do("GET", "/data/x", "", "Range", "bytes=0-1", "If-Range", `"old"`).want(200).wantBody("0123456789")
}

func TestDownload_Headers(t *testing.T) {
	c := newClient(t, nil)
	o := c.put("x", "0123456789").json()
	c.do("PATCH", "/storage/v1/b/data/o/x", `{"contentType":"t/t","cacheControl":"no-store","contentDisposition":"inline","contentLanguage":"de"}`).want(200)
	for _, method := range []string{"GET", "HEAD"} {
		a := c.do(method, "/data/x", "").want(200)
		for name, want := range map[string]string{
			"Content-Type": "t/t", "Cache-Control": "no-store", "Content-Disposition": "inline", "Content-Language": "de", "Content-Length": "10",
			"Accept-Ranges": "bytes", "X-Goog-Generation": o["generation"].(string), "X-Goog-Metageneration": "2",
			"X-Goog-Stored-Content-Length": "10", "X-Goog-Stored-Content-Encoding": "identity", "X-Goog-Storage-Class": "STANDARD",
		} {
			a.wantHeader(name, want)
		}
		if got := strings.Join(a.header.Values("X-Goog-Hash"), ","); got != "crc32c=KAwGng==,md5=eB5eJF1ptWaXm4bijSPyxw==" {
			t.Errorf("X-Goog-Hash: %s", got)
		}
		if want := map[string]string{"GET": "0123456789"}[method]; a.body != want {
			t.Errorf("%s: %q", method, a.body)
		}
	}
}
