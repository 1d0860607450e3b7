package gcsv1

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
)

func compress(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDownload_Decompressed(t *testing.T) {
	c := newClient(t, nil)
	text := strings.Repeat("compressed ", 100_000)
	stored := compress(t, text)
	o := c.do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=x&contentEncoding=gzip", stored, "Content-Type", "text/plain").want(200).json()
	for _, path := range []string{"/data/x", "/storage/v1/b/data/o/x?alt=media", "/download/storage/v1/b/data/o/x"} {
		for _, accept := range []string{"", "identity", "deflate, br", "gzip;q=0", "*"} {
			a := c.do("GET", path, "", "Accept-Encoding", accept, "Range", "bytes=0-9").want(200).wantBody(text)
			for name, want := range map[string]string{
				"Content-Encoding": "", "Content-Length": "", "Content-Range": "", "X-Goog-Stored-Content-Encoding": "gzip", "Vary": "Accept-Encoding",
				"Content-Type": "text/plain", "Accept-Ranges": "none", "X-Guploader-Response-Body-Transformations": "gunzipped",
			} {
				a.wantHeader(name, want)
			}
			if got := strings.Join(a.header.Values("X-Goog-Hash"), ","); got != "crc32c="+o["crc32c"].(string)+",md5="+o["md5Hash"].(string) {
				t.Errorf("X-Goog-Hash: %s", got)
			}
		}
		for _, accept := range []string{"gzip", "deflate, gzip;q=0.5", "GZIP", "x-gzip"} {
			a := c.do("GET", path, "", "Accept-Encoding", accept).want(200).wantBody(stored)
			a.wantHeader("Content-Encoding", "gzip").wantHeader("Vary", "Accept-Encoding").wantHeader("Accept-Ranges", "bytes")
			c.do("GET", path, "", "Accept-Encoding", accept, "Range", "bytes=2-5").want(206).wantBody(stored[2:6])
		}
	}
	c.do("HEAD", "/data/x", "").want(200).wantHeader("Content-Length", "").wantHeader("X-Goog-Stored-Content-Encoding", "gzip")
	c.do("PATCH", "/storage/v1/b/data/o/x", `{"cacheControl":"public, no-transform"}`).want(200)
	c.do("GET", "/data/x", "").want(200).wantBody(stored).wantHeader("Content-Encoding", "gzip").wantHeader("Vary", "")
}

func TestDownload_FalselyCompressed(t *testing.T) {
	c := newClient(t, nil)
	upload := "/upload/storage/v1/b/data/o?uploadType=media&name=x&contentEncoding=gzip"
	// What is not compressed at all goes out as it is.
	c.do("POST", upload, "plain", "Content-Type", "text/plain").want(200)
	c.do("GET", "/data/x", "").want(200).wantBody("plain").wantHeader("Content-Encoding", "gzip")
	// What breaks off later must not look whole.
	stored := compress(t, strings.Repeat("0123456789abcdef", 1<<16))
	c.do("POST", upload, stored[:len(stored)/2]).want(200)
	res, err := c.http.Get(c.base + "/data/x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Errorf("half of the content came without an error: %d bytes", n)
	}
}
