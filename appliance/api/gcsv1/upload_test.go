package gcsv1

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"hearth/storage/object"
)

const begin = "/upload/storage/v1/b/data/o?uploadType=resumable&name=x"

func TestUpload_Media(t *testing.T) {
	c := newClient(t, nil)
	upload := "/upload/storage/v1/b/data/o?uploadType=media&name=x"
	c.do("POST", upload+"&contentEncoding=gzip", "0123456789", "X-Goog-Hash", "crc32c=KAwGng==,md5=eB5eJF1ptWaXm4bijSPyxw==").want(200)
	c.do("POST", upload, "0123456789", "Content-MD5", "eB5eJF1ptWaXm4bijSPyxw==").want(200)
	for _, h := range [][]string{
		{"X-Goog-Hash", "crc32c=AAAAAA=="}, {"X-Goog-Hash", "md5=AAAAAAAAAAAAAAAAAAAAAA=="}, {"X-Goog-Hash", "crc32c=?"},
		{"Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="}, {"Content-MD5", "AA=="},
	} {
		c.do("POST", upload, "another", h...).wantError(400, "invalid")
	}
	c.do("GET", "/data/x", "").want(200).wantBody("0123456789")
	c.do("POST", "/upload/storage/v1/b/none/o?uploadType=media&name=x", "1").wantError(404, "notFound")
	c.do("POST", "/upload/storage/v1/b/data/o?uploadType=media", "1").wantError(400, "required")
	c.do("POST", "/upload/storage/v1/b/data/o?uploadType=other&name=x", "1").wantError(400, "invalidParameter")
	c.do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=a%0Ab", "1").wantError(400, "invalid")
}

func TestUpload_Multipart(t *testing.T) {
	c := newClient(t, nil)
	parts := func(boundary, nl, json, content string) string {
		return strings.ReplaceAll(strings.Join([]string{
			"--" + boundary, "Content-Type: application/json", "MIME-Version: 1.0", "", json,
			"--" + boundary, "Content-Type: text/x-part", "MIME-Version: 1.0", "Content-Transfer-Encoding: binary", "", content,
			"--" + boundary + "--", "",
		}, "\n"), "\n", nl)
	}
	upload := "/upload/storage/v1/b/data/o?alt=json&name=job%2Fpkg.tar.gz&uploadType=multipart&fields=name,size,contentType,metadata"
	// gcloud: single quotes round a boundary that needs quotes, lines end in LF.
	b := "===============3481537843541553449=="
	c.do("POST", upload, parts(b, "\n", `{"name":"job/pkg.tar.gz","contentType":"application/gzip"}`, "raw\n\nbytes"), "Content-Type", "multipart/related; boundary='"+b+"'").
		want(200).wantJSON(`{"name":"job/pkg.tar.gz","size":"10","contentType":"application/gzip"}`)
	c.do("GET", "/data/job/pkg.tar.gz", "").want(200).wantBody("raw\n\nbytes")
	// Python and Go: quotes as the standard has them, or none, and CRLF.
	for _, quoted := range []string{`boundary="x y"`, `type="a;b"; Boundary="x y"; charset=utf-8`} {
		c.do("POST", upload, parts("x y", "\r\n", `{"metadata":{"k":"v"}}`, "content"), "Content-Type", "multipart/related; "+quoted).
			want(200).wantJSON(`{"name":"job/pkg.tar.gz","size":"7","contentType":"text/x-part","metadata":{"k":"v"}}`)
	}
	c.do("POST", "/upload/storage/v1/b/data/o?uploadType=multipart", parts("xyz", "\r\n", `{"name":"named in the json","md5Hash":"mgNkuembtIDdJeHwKEyFVQ=="}`, "content"), "Content-Type", "multipart/related; boundary=xyz").want(200)
	whole := parts("xyz", "\r\n", `{"crc32c":"AAAAAA=="}`, "content")
	for _, body := range []string{whole, "", "--xyz\r\n", whole[:len(whole)-9], "--xyz\r\n\r\n{}\r\n--xyz--\r\n"} {
		c.do("POST", upload, body, "Content-Type", "multipart/related; boundary=xyz").wantError(400, "invalid")
	}
	c.do("POST", upload, strings.Replace(whole, "}", "", 1), "Content-Type", "multipart/related; boundary=xyz").wantError(400, "parseError")
	c.do("POST", upload, whole, "Content-Type", "multipart/related").wantError(400, "invalid")
	c.do("GET", "/data/job/pkg.tar.gz", "").want(200).wantBody("content")
}

func TestResumable_TensorFlow(t *testing.T) {
	c := newClient(t, func(o *Options) { o.PlainBase = "http://127.0.0.1:1" })
	session := func(length string) string {
		a := c.do("POST", begin, "", "User-Agent", "TSL", "X-Upload-Content-Length", length, "Host", "www.googleapis.com").want(200).wantBody("")
		l := a.header.Get("Location")
		rest, ok := strings.CutPrefix(l, "http://127.0.0.1:1/upload/storage/v1/b/data/o?")
		if !ok || a.header.Get("X-Guploader-Uploadid") == "" {
			t.Fatalf("Location %s", l)
		}
		return c.base + "/upload/storage/v1/b/data/o?" + rest
	}
	// An empty file has no Content-Range.
	c.do("PUT", session("0"), "").want(200)
	c.do("GET", "/data/x", "").want(200).wantBody("")

	l := session("10")
	c.do("PUT", l, "", "Content-Range", "bytes */10").want(308).wantHeader("Range", "")
	c.do("PUT", l, "0123456789", "Content-Range", "bytes 0-9/10").want(200)
	c.do("PUT", l, "", "Content-Range", "bytes */10").want(200)
	c.do("GET", "/data/x", "").want(200).wantBody("0123456789")

	other := c.do("POST", begin, "", "User-Agent", "gcloud", "Host", "www.googleapis.com").want(200).header.Get("Location")
	if !strings.HasPrefix(other, "https://www.googleapis.com/upload/") {
		t.Fatalf("Location %s", other)
	}
}

// TestResumable_ChunkedWithRange sends what TensorFlow's curl does: both kinds of
// length, and a question before the body.
func TestResumable_ChunkedWithRange(t *testing.T) {
	c := newClient(t, nil)
	session := func() string {
		return strings.TrimPrefix(c.do("POST", begin, "").want(200).header.Get("Location"), c.base)
	}
	send := func(path, contentRange, body string) *answer {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: x\r\nUser-Agent: TSL\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nContent-Range: %s\r\n\r\n",
			path, len(body), contentRange)
		r := bufio.NewReader(conn)
		if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Fatalf("got %q, %v", line, err)
		}
		_, _ = r.ReadString('\n')
		fmt.Fprintf(conn, "%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		res, err := http.ReadResponse(r, &http.Request{Method: "PUT"})
		if err != nil {
			t.Fatal(err)
		}
		return c.read(res)
	}
	send(session(), "bytes 0-9/10", "0123456789").want(200)
	c.do("GET", "/data/x", "").want(200).wantBody("0123456789")
	l := session()
	send(l, "bytes 0-9/20", "0123456789").want(308).wantHeader("Range", "bytes=0-9")
	send(l, "bytes 10-19/20", "abcde").wantError(400, "invalid")
	send(l, "bytes 10-19/20", "abcdefghij").want(200)
	c.do("GET", "/data/x", "").want(200).wantBody("0123456789abcdefghij")
}

func TestResumable_BrokenConnection(t *testing.T) {
	c := newClient(t, nil)
	l := c.do("POST", begin, "").want(200).header.Get("Location")
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nContent-Range: bytes 0-9/10\r\n\r\n01234", strings.TrimPrefix(l, c.base))
	// The server answers that the body ended early once it has kept what came.
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.read(res).wantError(400, "invalid")
	conn.Close()
	c.do("PUT", l, "", "Content-Range", "bytes */10").want(308).wantHeader("Range", "bytes=0-4")
	c.do("PUT", l, "56789", "Content-Range", "bytes 5-9/10").want(200)
	c.do("GET", "/data/x", "").want(200).wantBody("0123456789")
}

func TestResumable_Clients(t *testing.T) {
	c := newClient(t, nil)
	// gcloud: its own path, then one piece.
	l := c.do("POST", "/resumable"+begin, `{"name":"x","contentType":"application/gzip"}`, "X-Upload-Content-Type", "ignored/type").want(200).header.Get("Location")
	c.do("PUT", l, "0123", "Content-Range", "bytes 0-3/4").want(200)
	c.do("GET", "/storage/v1/b/data/o/x?fields=contentType,size", "").want(200).wantJSON(`{"contentType":"application/gzip","size":"4"}`)

	// Google's Go client: pieces of unknown total, and no redirects.
	l = c.do("POST", begin, `{}`, "X-Upload-Content-Type", "t/t").want(200).header.Get("Location")
	no308 := []string{"X-GUploader-No-308", "yes", "Content-Range"}
	a := c.do("PUT", l, "0123", append(no308, "bytes 0-3/*")...).want(200).wantHeader("Range", "bytes=0-3").wantHeader("X-Http-Status-Code-Override", "308")
	a.wantBody("")
	c.do("PUT", l, "45", append(no308, "bytes 4-5/6")...).want(200).wantHeader("X-Http-Status-Code-Override", "")
	c.do("GET", "/data/x", "").want(200).wantBody("012345").wantHeader("Content-Type", "t/t")

	// gcsfs: pieces by POST, then an end without content.
	l = c.do("POST", begin, `{"metadata":{"k":"v"}}`).want(200).header.Get("Location")
	c.do("POST", l, "0123", "Content-Range", "bytes 0-3/*").want(308)
	c.do("POST", l, "4567", "Content-Range", "bytes 4-7/*").want(308).wantHeader("Range", "bytes=0-7")
	if o := c.do("POST", l, "", "Content-Range", "bytes */8").want(200).json(); o["size"] != "8" || fmt.Sprint(o["metadata"]) != "map[k:v]" {
		t.Fatalf("got %v", o)
	}

	// Python: the whole without a range; it says the checksum with the last piece.
	l = c.do("POST", begin, `{"name":"x"}`).want(200).header.Get("Location")
	c.do("PUT", l, "0123456789", "X-Goog-Hash", "crc32c=AAAAAA==").wantError(400, "invalid")
	c.do("PUT", l, "0123456789").wantError(404, "notFound")
	l = c.do("POST", begin, `{"name":"x"}`).want(200).header.Get("Location")
	c.do("PUT", l, "0123456789", "X-Goog-Hash", "crc32c=KAwGng==").want(200)
}

func TestResumable_Refused(t *testing.T) {
	c := newClient(t, nil)
	session := func(query string) string { return c.do("POST", begin+query, "").want(200).header.Get("Location") }
	c.do("PUT", "/upload/storage/v1/b/data/o?uploadType=resumable&upload_id=none", "x").wantError(404, "notFound")
	c.do("POST", "/upload/storage/v1/b/none/o?uploadType=resumable&name=x", "").wantError(404, "notFound")
	l := session("")
	c.do("PUT", l, "456", "Content-Range", "bytes 4-6/7").wantError(503, "backendError")
	c.do("PUT", l, "0123", "Content-Range", "bytes 0-2/7").wantError(400, "invalid")
	for _, bad := range []string{"bytes", "bytes 0-", "bytes 3-1/7", "bytes 0-7/7", "bytes a-b/c", "items 0-1/2", "bytes -1-2/3", "bytes 0-1/-1"} {
		c.do("PUT", l, "0", "Content-Range", bad).wantError(400, "invalid")
	}
	c.do("GET", l, "").wantError(405, "httpMethodNotAllowed")
	c.do("DELETE", l, "").want(499)
	c.do("DELETE", l, "").wantError(404, "notFound")
	c.do("PUT", l, "", "Content-Range", "bytes */7").wantError(404, "notFound")

	l = session("&ifGenerationMatch=0")
	c.put("x", "somebody was faster")
	c.do("PUT", l, "mine").wantError(412, "conditionNotMet")
	c.do("POST", begin+"&ifGenerationMatch=0", "").wantError(412, "conditionNotMet")
	c.do("GET", "/data/x", "").want(200).wantBody("somebody was faster")
}

func TestUpload_DiskFull(t *testing.T) {
	dir := t.TempDir()
	store, err := object.OpenLocal(dir, object.LocalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.CreateBucket(t.Context(), object.Bucket{Name: "data"}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if store, err = object.OpenLocal(dir, object.LocalOptions{ReserveBytes: 1 << 60}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	c := newClient(t, func(o *Options) { o.Store = store })
	c.do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=x", "1").wantError(403, "quotaExceeded")
	c.do("POST", begin, "").wantError(403, "quotaExceeded")
	c.do("GET", "/storage/v1/b/data/o", "").want(200)
}
