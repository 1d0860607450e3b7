package handover

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

const plainHead = "POST /v1/models/m:predict?alt=json HTTP/1.1\r\nHost: localhost:8080\r\nauthorization:  Bearer x \r\n" +
	"Content-Length: 12\r\nAccept-Encoding: deflate, gzip\r\nConnection: Keep-Alive\r\nContent-Type: application/json\r\n\r\n"

func TestParseHead_Plain(t *testing.T) {
	h, v := ParseHead([]byte(plainHead + "{\"instances\""))
	if v != Plain || h.Size != len(plainHead) || string(h.Target) != "/v1/models/m:predict?alt=json" || string(h.Host) != "localhost:8080" ||
		string(h.Authorization) != "Bearer x" || h.ContentLength != 12 || !h.AcceptsGzip {
		t.Errorf("%d %+v", v, h)
	}
	for n := range len(plainHead) {
		if _, v := ParseHead([]byte(plainHead[:n])); v != Partial {
			t.Fatalf("%q is %d", plainHead[:n], v)
		}
	}
	if _, v := ParseHead([]byte("POST /" + strings.Repeat("x", MaxHead))); v != Other {
		t.Errorf("a head without end is %d", v)
	}
}

func TestParseHead_Other(t *testing.T) {
	with := func(lines string) string {
		return "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n" + lines + "\r\n"
	}
	for name, head := range map[string]string{
		"method":               "GET /p HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n",
		"start of a method":    "G",
		"HTTP/1.0":             "POST /p HTTP/1.0\r\nHost: h\r\nContent-Length: 1\r\n\r\n",
		"absolute target":      "POST http://h/p HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n",
		"space in target":      "POST /p q HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n",
		"no host":              "POST /p HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
		"no length":            "POST /p HTTP/1.1\r\nHost: h\r\n\r\n",
		"two hosts":            with("Host: i\r\n"),
		"two lengths":          with("Content-Length: 1\r\n"),
		"other lengths":        with("content-length: 2\r\n"),
		"signed length":        "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n",
		"huge length":          "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"chunked":              with("Transfer-Encoding: chunked\r\n"),
		"expect":               with("Expect: 100-continue\r\n"),
		"close":                with("Connection: close\r\n"),
		"upgrade":              with("Connection: keep-alive, Upgrade\r\n"),
		"origin":               with("Origin: http://h\r\n"),
		"gzip":                 with("Content-Encoding: gzip\r\n"),
		"timeout":              with("X-Server-Timeout: 1\r\n"),
		"two authorizations":   with("Authorization: a\r\nAuthorization: b\r\n"),
		"space before a colon": with("Accept : x\r\n"),
		"folded line":          with("Accept: x\r\n y\r\n"),
		"no colon":             with("Accept\r\n"),
		"bare LF":              with("Accept: x\nTransfer-Encoding: chunked\r\n"),
		"NUL":                  with("Accept: \x00\r\n"),
	} {
		if _, v := ParseHead([]byte(head)); v != Other {
			t.Errorf("%s: %d", name, v)
		}
	}
}

// FuzzParseHead: what is Plain, net/http reads the same way.
func FuzzParseHead(f *testing.F) {
	f.Add([]byte(plainHead))
	f.Add([]byte("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, v := ParseHead(b)
		if v != Plain {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b[:h.Size])))
		if err != nil {
			t.Skip() // the front door finds this out before it lends
		}
		if r.Method != "POST" || r.RequestURI != string(h.Target) || r.Host != string(h.Host) || r.ContentLength != h.ContentLength ||
			r.Header.Get("Authorization") != string(h.Authorization) || len(r.TransferEncoding) > 0 || r.Close {
			t.Errorf("%+v\n%+v", h, r)
		}
	})
}
