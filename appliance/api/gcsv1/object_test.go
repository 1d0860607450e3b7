package gcsv1

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth/storage/object"
)

func TestObject_Attributes(t *testing.T) {
	c := newClient(t, nil)
	const all = `{"name":"x","contentType":"t/t","contentEncoding":"br","contentDisposition":"inline","contentLanguage":"de","cacheControl":"no-store",
		"storageClass":"NEARLINE","customTime":"2026-03-01T12:00:00.5+01:00","metadata":{"k":"v"},"kmsKeyName":"ignored","acl":[],"temporaryHold":false,"retention":null,"contexts":{}}`
	const want = `{"name":"x","contentType":"t/t","contentEncoding":"br","contentDisposition":"inline","contentLanguage":"de","cacheControl":"no-store",
		"storageClass":"NEARLINE","customTime":"2026-03-01T11:00:00.500Z","metadata":{"k":"v"}}`
	const fields = "fields=name,contentType,contentEncoding,contentDisposition,contentLanguage,cacheControl,storageClass,customTime,metadata"
	c.do("POST", "/upload/storage/v1/b/data/o?uploadType=multipart&predefinedAcl=private&kmsKeyName=k&userProject=p&projection=full&"+fields,
		"--x\r\n\r\n"+all+"\r\n--x\r\n\r\n1\r\n--x--", "Content-Type", "multipart/related; boundary=x").want(200).wantJSON(want)
	location := c.do("POST", "/upload/storage/v1/b/data/o?uploadType=resumable&"+fields, all).want(200).header.Get("Location")
	c.do("PUT", location+"&"+fields, "1").want(200).wantJSON(want)
	c.do("HEAD", "/data/x", "").want(200).wantHeader("X-Goog-Storage-Class", "NEARLINE").wantHeader("Content-Encoding", "br")

	o := "/storage/v1/b/data/o/x?" + fields
	for _, step := range []struct{ method, path, body, want string }{
		// The storage class changes with a rewrite only, which leaves the rest.
		{"PATCH", o, `{"storageClass":"STANDARD"}`, want},
		{"POST", "/storage/v1/b/data/o/x/copyTo/b/data/o/x?" + fields, `{"storageClass":"ARCHIVE"}`, strings.Replace(want, "NEARLINE", "ARCHIVE", 1)},
		{"PUT", o, `{}`, `{"name":"x","storageClass":"ARCHIVE","customTime":"2026-03-01T11:00:00.500Z"}`},
		{"PATCH", o, `{"customTime":"2026-03-02T00:00:00Z"}`, `{"name":"x","storageClass":"ARCHIVE","customTime":"2026-03-02T00:00:00.000Z"}`},
	} {
		c.do(step.method, step.path, step.body).want(200).wantJSON(step.want)
	}
	for _, body := range []string{
		`{"customTime":"2026-03-01T00:00:00Z"}`, `{"customTime":null}`, `{"customTime":"soon"}`, `{"storageClass":"FAST"}`,
		`{"metadata":{"k":"` + strings.Repeat("v", maxMetadata) + `"}}`,
	} {
		c.do("PATCH", o, body).wantError(400, "invalid")
	}
	for _, body := range []string{`{"temporaryHold":true}`, `{"eventBasedHold":true}`, `{"retention":{"mode":"Locked"}}`, `{"contexts":{"custom":{"a":{"value":"b"}}}}`} {
		c.do("PATCH", o, body).wantError(501, "notImplemented")
		c.do("POST", "/upload/storage/v1/b/data/o?uploadType=resumable&name=y", body).wantError(501, "notImplemented")
		c.do("POST", "/storage/v1/b/data/o/x/rewriteTo/b/data/o/y", body).wantError(501, "notImplemented")
		c.do("POST", "/storage/v1/b/data/o/y/compose", `{"sourceObjects":[{"name":"x"}],"destination":`+body+`}`).wantError(501, "notImplemented")
	}
	c.do("GET", "/data/x", "", "X-Goog-Encryption-Algorithm", "AES256").want(501)
	c.do("GET", "/storage/v1/b/data/o/x?softDeleted=true&generation=1", "").wantError(501, "notImplemented")
	c.do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=y", "1", "Content-Encoding", "gzip").wantError(501, "notImplemented")
	c.do("POST", "/storage/v1/b/data/o", `{"name":"y"}`).wantError(400, "wrongUrlForUpload")
	c.do("GET", "/data/y", "").want(404)
}

func TestUpload_Checksums(t *testing.T) {
	c := newClient(t, nil)
	c.put("x", "before")
	const content, crc, md5 = "0123456789", "KAwGng==", "eB5eJF1ptWaXm4bijSPyxw=="
	const noCRC, noMD5 = "AAAAAA==", "AAAAAAAAAAAAAAAAAAAAAA=="
	multipart := func(json, partHeader string) string {
		return "--x\r\n\r\n" + json + "\r\n--x\r\n" + partHeader + "\r\n" + content + "\r\n--x--"
	}
	kinds := map[string]func(json, partHeader string, headers []string) *answer{
		"media": func(_, _ string, headers []string) *answer {
			return c.do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=x", content, headers...)
		},
		"multipart": func(json, partHeader string, headers []string) *answer {
			return c.do("POST", "/upload/storage/v1/b/data/o?uploadType=multipart&name=x", multipart(json, partHeader), append(headers, "Content-Type", "multipart/related; boundary=x")...)
		},
		"resumable": func(json, _ string, headers []string) *answer {
			a := c.do("POST", begin, json)
			if a.status != 200 {
				return a
			}
			return c.do("PUT", a.header.Get("Location"), content, headers...)
		},
		"resumable in pieces": func(json, _ string, headers []string) *answer {
			a := c.do("POST", begin, json)
			if a.status != 200 {
				return a
			}
			c.do("PUT", a.header.Get("Location"), content[:4], "Content-Range", "bytes 0-3/*").want(308)
			return c.do("PUT", a.header.Get("Location"), content[4:], append(headers, "Content-Range", "bytes 4-9/10")...)
		},
	}
	for _, test := range []struct {
		kinds, json, part string
		headers           []string
		status            int
	}{
		{"media multipart resumable pieces", "{}", "", []string{"X-Goog-Hash", "crc32c=" + crc + ",md5=" + md5}, 200},
		{"media multipart resumable pieces", "{}", "", []string{"X-Goog-Hash", "crc32c=" + noCRC}, 400},
		{"media multipart resumable pieces", "{}", "", []string{"X-Goog-Hash", "md5=" + noMD5}, 400},
		{"media multipart resumable pieces", "{}", "", []string{"X-Goog-Hash", "md5=short"}, 400},
		{"media resumable", "{}", "", []string{"Content-MD5", md5}, 200},
		{"media resumable", "{}", "", []string{"Content-MD5", noMD5}, 400},
		{"media", "", "", []string{"Content-MD5", noMD5, "X-Goog-Hash", "md5=" + md5}, 400},
		{"multipart", "{}", "Content-MD5: " + md5 + "\r\n", nil, 200},
		{"multipart", "{}", "Content-MD5: " + noMD5 + "\r\n", nil, 400},
		{"multipart resumable pieces", `{"crc32c":"` + crc + `","md5Hash":"` + md5 + `"}`, "", nil, 200},
		{"multipart resumable pieces", `{"crc32c":"` + noCRC + `"}`, "", nil, 400},
		{"multipart resumable pieces", `{"md5Hash":"` + noMD5 + `"}`, "", nil, 400},
		{"multipart resumable pieces", `{"crc32c":"?"}`, "", nil, 400},
		{"multipart", `{"crc32c":"` + crc + `"}`, "", []string{"X-Goog-Hash", "crc32c=" + noCRC}, 400},
	} {
		for name, send := range kinds {
			if words := strings.Fields(name); !strings.Contains(test.kinds, words[len(words)-1]) {
				continue
			}
			if a := send(test.json, test.part, test.headers); a.status != test.status {
				t.Errorf("%s %+v: %d %s", name, test, a.status, a.body)
			}
			want := "before"
			if test.status == 200 {
				want = content
			}
			c.do("GET", "/data/x", "").want(200).wantBody(want)
			c.put("x", "before")
		}
	}
}

func TestErrors(t *testing.T) {
	c := newClient(t, nil)
	c.put("x", "1")
	for _, test := range []struct{ method, path, body, want string }{
		{"GET", "/storage/v1/b/data/o/x?ifGenerationMatch=1", "", `{"code":412,"reason":"conditionNotMet","locationType":"header","location":"If-Match"}`},
		{"GET", "/storage/v1/b/data/o/x?ifGenerationMatch=a", "", `{"code":400,"reason":"invalidParameter","locationType":"parameter","location":"ifGenerationMatch"}`},
		{"GET", "/storage/v1/b/data/o/x?fields=(", "", `{"code":400,"reason":"invalidParameter","locationType":"parameter","location":"fields"}`},
		{"POST", "/upload/storage/v1/b/data/o?uploadType=media", "", `{"code":400,"reason":"required","locationType":"parameter","location":"name"}`},
		{"POST", "/storage/v1/b", "{}", `{"code":400,"reason":"required","locationType":"parameter","location":"name"}`},
		{"POST", "/storage/v1/b", "{", `{"code":400,"reason":"parseError"}`},
		{"POST", "/storage/v1/b", `{"name":"data"}`, `{"code":409,"reason":"conflict"}`},
		{"GET", "/storage/v1/b/none", "", `{"code":404,"reason":"notFound"}`},
		{"GET", "/storage/v1/b/data/iam", "", `{"code":501,"reason":"notImplemented"}`},
	} {
		a := c.do(test.method, test.path, test.body)
		var got struct {
			Error errorObject `json:"error"`
		}
		var want struct {
			errorItem
			Code int `json:"code"`
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatalf("%v: %s", err, a.body)
		}
		if err := json.Unmarshal([]byte(test.want), &want); err != nil {
			t.Fatal(err)
		}
		want.Domain, want.Message = "global", got.Error.Message
		if a.status != want.Code || got.Error.Code != want.Code || len(got.Error.Errors) != 1 || got.Error.Errors[0] != want.errorItem || want.Message == "" {
			t.Errorf("%s %s: %d %s", test.method, test.path, a.status, a.body)
		}
	}
	// A mask that cannot be read must not let the work be done first.
	c.do("DELETE", "/storage/v1/b/data/o/x?fields=(", "").want(400)
	c.do("GET", "/data/x", "").want(200)
}

// TestObject_NoCRC32C shows an object that others wrote to an S3 server.
func TestObject_NoCRC32C(t *testing.T) {
	o := &object.Object{Bucket: "data", Name: "x", NoCRC32C: true}
	if got := decodeMap(t, objectAnswer{"", o}.appendJSON(nil, nil)); got["crc32c"] != nil || got["md5Hash"] != nil || got["name"] != "x" {
		t.Errorf("got %v", got)
	}
	r := mustRequest(t)
	if setHash(r.Header, o); r.Header.Get("X-Goog-Hash") != "" {
		t.Errorf("X-Goog-Hash %s", r.Header.Get("X-Goog-Hash"))
	}
}

func TestAppendTime(t *testing.T) {
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(1e9, 999_999_999), time.Date(2026, 12, 31, 23, 59, 59, 1_000_000, time.UTC), time.Date(987, 1, 2, 3, 4, 5, 0, time.FixedZone("x", 3600)),
	} {
		if got, want := timestamp(at), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzAppendText(f *testing.F) {
	f.Add("plain")
	f.Add("\"\\\n\x7fü日\xff<&>\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		var got, want string
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(appendText(nil, s), &got); err != nil || got != want {
			t.Fatalf("%q became %s, %v", s, appendText(nil, s), err)
		}
	})
}

func FuzzEtag(f *testing.F) {
	f.Add(int64(1), int64(2), "CAE=")
	f.Fuzz(func(t *testing.T, generation, metageneration int64, s string) {
		if g, m, ok := parseEtag(etag(generation, metageneration)); !ok || g != generation || m != metageneration {
			t.Fatal(fmt.Sprint(g, m, ok))
		}
		parseEtag(s) // may not panic
	})
}
