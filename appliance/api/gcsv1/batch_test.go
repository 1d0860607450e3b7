package gcsv1

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"hearth/ml"
)

// batchBody puts requests together the way clients do.
func batchBody(requests ...string) string {
	var b strings.Builder
	for i, r := range requests {
		fmt.Fprintf(&b, "--xyz\r\nContent-Type: application/http\r\nContent-ID: <b29c5de2 + %d>\r\n\r\n%s\r\n", i+1, r)
	}
	return b.String() + "--xyz--\r\n"
}

// batch sends a batch and gives the parts of the answer, from the head of the
// part to its end.
func (c *client) batch(path, body string, headers ...string) []string {
	c.t.Helper()
	a := c.do("POST", path, body, append(headers, "Content-Type", "multipart/mixed; boundary=xyz")...).want(200)
	bound, ok := strings.CutPrefix(a.header.Get("Content-Type"), "multipart/mixed; boundary=")
	if !ok {
		c.t.Fatalf("Content-Type %s", a.header.Get("Content-Type"))
	}
	parts := strings.Split(a.body, "--"+bound)
	if parts[0] != "" || parts[len(parts)-1] != "--\r\n" {
		c.t.Fatalf("got %q", a.body)
	}
	return parts[1 : len(parts)-1]
}

func TestBatch(t *testing.T) {
	c := newClient(t, nil)
	c.put("a", "1")
	c.put("b", "2")
	for _, path := range []string{"/batch", "/batch/storage/v1"} {
		parts := c.batch(path, batchBody(
			"GET /storage/v1/b/data/o/a?fields=name,size HTTP/1.1\r\n\r\n",
			"PATCH "+c.base+"/storage/v1/b/data/o/b?fields=metadata HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{\"metadata\":{\"k\":\"ü\"}}",
			"DELETE https://storage.googleapis.com/storage/v1/b/data/o/none HTTP/1.1\r\n",
			"POST /storage/v1/b/data/o/a/rewriteTo/b/data/o/c%2Fd HTTP/1.1\r\nAccept: x\r\n\r\n",
			"GET /storage/v1/b/data/o/a?ifGenerationNotMatch=0 HTTP/1.1\n\n",
		))
		if len(parts) != 5 {
			t.Fatalf("got %d parts: %q", len(parts), parts)
		}
		for i, want := range []string{
			"HTTP/1.1 200 OK\r\nContent-Length: 24\r\nContent-Type: application/json; charset=UTF-8\r\nEtag: ", `{"metadata":{"k":"ü"}}`,
			"HTTP/1.1 404 Not Found\r\n", `"name":"c/d"`, `"name":"a"`,
		} {
			head := fmt.Sprintf("\r\nContent-ID: <response-b29c5de2 + %d>\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 ", i+1)
			if !strings.HasPrefix(parts[i], head) || !strings.Contains(parts[i], want) {
				t.Errorf("%q lacks %q or %q", parts[i], head, want)
			}
		}
		if !strings.HasSuffix(parts[0], "\r\n\r\n"+`{"name":"a","size":"1"}`+"\n\r\n") {
			t.Errorf("got %q", parts[0])
		}
	}
	c.do("GET", "/data/c/d", "").want(200).wantBody("1")
	parts := c.batch("/batch", batchBody("DELETE /storage/v1/b/data/o/a HTTP/1.1\r\n\r\n"))
	if !strings.Contains(parts[0], "HTTP/1.1 204 No Content\r\n") {
		t.Errorf("got %q", parts[0])
	}
}

func TestBatch_RefusedParts(t *testing.T) {
	c := newClient(t, nil)
	c.put("a", "1")
	parts := c.batch("/batch", batchBody(
		"GET /storage/v1/b/data/o/a?alt=media HTTP/1.1\r\n\r\n",
		"POST /upload/storage/v1/b/data/o?uploadType=media&name=a HTTP/1.1\r\n\r\nx",
		"GET /download/storage/v1/b/data/o/a HTTP/1.1\r\n\r\n",
		"POST /batch HTTP/1.1\r\n\r\n",
		"GET /data/a HTTP/1.1\r\n\r\n",
		"nonsense",
		"GET http:// %zz HTTP/1.1\r\n\r\n",
		"GET /storage/v1/b/data HTTP/1.1\r\nno header\r\n\r\n",
		"",
	))
	for _, p := range parts {
		if !strings.Contains(p, "HTTP/1.1 400 Bad Request\r\n") || !strings.Contains(p, `"reason":"invalid"`) {
			t.Errorf("got %q", p)
		}
	}
	c.do("GET", "/data/a", "").want(200).wantBody("1")
}

func TestBatch_RefusedWhole(t *testing.T) {
	c := newClient(t, nil)
	get := "GET /storage/v1/b/data HTTP/1.1\r\n\r\n"
	whole := batchBody(get)
	for _, test := range []struct{ contentType, body string }{
		{"multipart/mixed; boundary=xyz", batchBody(strings.Split(strings.Repeat(get+"|", 101), "|")[:101]...)},
		{"multipart/mixed; boundary=xyz", batchBody()},
		{"multipart/mixed; boundary=xyz", whole[:len(whole)-9]},
		{"multipart/mixed; boundary=xyz", batchBody(get + strings.Repeat("x", maxBatchBytes))},
		{"multipart/mixed", whole},
		{"application/json", "{}"},
	} {
		c.do("POST", "/batch", test.body, "Content-Type", test.contentType).wantError(400, "invalid")
	}
	if n := len(c.batch("/batch", batchBody(strings.Split(strings.Repeat(get+"|", 100), "|")[:100]...))); n != 100 {
		t.Errorf("%d parts", n)
	}
}

type senderKey struct{}

// TestBatch_Sender holds that parts come from the sender of the batch, whatever
// they claim themselves.
func TestBatch_Sender(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	c := newClient(t, func(o *Options) {
		o.Authorize = func(r *http.Request, bucket string, write bool) error {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, fmt.Sprintf("%v %s %s %v", r.Context().Value(senderKey{}), r.Header.Get("Authorization"), bucket, write))
			if write {
				return ml.Errorf(ml.PermissionDenied, "no")
			}
			return nil
		}
	})
	body := batchBody(
		"GET /storage/v1/b/data HTTP/1.1\r\nAuthorization: Bearer other\r\n\r\n",
		"DELETE /storage/v1/b/data HTTP/1.1\r\n\r\n",
	)
	r := httptest.NewRequestWithContext(context.WithValue(t.Context(), senderKey{}, "me"), "POST", "/batch", strings.NewReader(body))
	r.Header.Set("Content-Type", "multipart/mixed; boundary=xyz")
	r.Header.Set("Authorization", "Bearer mine")
	w := httptest.NewRecorder()
	c.server.Config.Handler.ServeHTTP(w, r)
	if got := w.Body.String(); strings.Count(got, "HTTP/1.1 200 OK") != 1 || strings.Count(got, "HTTP/1.1 403 Forbidden") != 1 {
		t.Errorf("got %q", got)
	}
	slices.Sort(asked)
	if got := strings.Join(asked, "; "); got != "me Bearer mine data false; me Bearer mine data true" {
		t.Errorf("asked %q", got)
	}
}

// TestClients_Python runs Google's own clients against the handler.
func TestClients_Python(t *testing.T) {
	clients := os.Getenv("HEARTH_TEST_CLIENTS")
	if clients == "" {
		t.Skip("HEARTH_TEST_CLIENTS does not name an environment with Google's Python clients")
	}
	c := newClient(t, nil)
	cmd := exec.Command(filepath.Join(clients, "bin/python"), "testdata/clients.py", c.base)
	cmd.Env = append(os.Environ(), "STORAGE_EMULATOR_HOST="+c.base, "GOOGLE_CLOUD_PROJECT=hearth")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
}

func FuzzBatch(f *testing.F) {
	f.Add("xyz", []byte(batchBody("GET /storage/v1/b/data HTTP/1.1\r\n\r\n", "PATCH http://h/storage/v1/b/x HTTP/1.1\nContent-Length: 2\n\n{}")))
	f.Add("xyz", []byte("--xyz\n\nDELETE /storage/v1/b/data/o/a%2Fb\n\n--xyz--"))
	f.Fuzz(func(t *testing.T, bound string, b []byte) {
		parts, err := readBatch(bytes.NewReader(b), bound)
		if (err == nil) != (len(parts) > 0) || len(parts) > maxBatchParts {
			t.Fatalf("%d parts, %v", len(parts), err)
		}
		for _, p := range parts {
			if p.err == nil && !strings.HasPrefix(p.request.URL.EscapedPath(), "/storage/v1/") {
				t.Fatalf("took %s", p.request.URL)
			}
			if p.request == nil {
				continue
			}
			content, err := io.ReadAll(p.request.Body)
			if err != nil || int64(len(content)) != p.request.ContentLength || len(content) > len(b) {
				t.Fatalf("%d bytes, %v", len(content), err)
			}
		}
	})
}
