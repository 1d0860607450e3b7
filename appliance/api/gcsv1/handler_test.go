package gcsv1

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"hearth/ml"
)

func TestBuckets(t *testing.T) {
	c := newClient(t, nil)
	b := c.do("GET", "/storage/v1/b/data", "").want(200).json()
	if b["kind"] != "storage#bucket" || b["name"] != "data" || b["id"] != "data" || b["location"] != "US" || b["metageneration"] != "1" {
		t.Fatalf("got %v", b)
	}
	c.do("GET", "/storage/v1/b/none", "").wantError(404, "notFound")
	c.do("POST", "/storage/v1/b?project=hearth", `{"name":"models","location":"eu","labels":{"a":"b"},"iamConfiguration":{}}`).want(200)
	b = c.do("GET", "/storage/v1/b/models", "").want(200).json()
	if b["location"] != "EU" || b["storageClass"] != "STANDARD" || fmt.Sprint(b["labels"]) != "map[a:b]" {
		t.Fatalf("got %v", b)
	}
	c.do("POST", "/storage/v1/b?project=hearth", `{"name":"models"}`).wantError(409, "conflict")
	c.do("POST", "/storage/v1/b?project=hearth", `{"name":"Bad"}`).wantError(400, "invalid")
	c.do("POST", "/storage/v1/b?project=hearth", `{}`).wantError(400, "required")
	c.do("POST", "/storage/v1/b?project=hearth", `{"name":`).wantError(400, "parseError")
	for _, name := range []string{"hearth", "storage", "upload", "healthz", "batch", "metrics"} {
		c.do("POST", "/storage/v1/b?project=hearth", `{"name":"`+name+`"}`).wantError(400, "invalid")
	}
	c.do("GET", "/storage/v1/b?project=hearth&fields=items/name,nextPageToken", "").want(200).wantJSON(`{"items":[{"name":"data"},{"name":"models"}]}`)
	c.do("GET", "/storage/v1/b?prefix=m&fields=items/name", "").want(200).wantJSON(`{"items":[{"name":"models"}]}`)
	page := c.do("GET", "/storage/v1/b?maxResults=1", "").want(200).json()
	c.do("GET", "/storage/v1/b?maxResults=1&fields=items(name)&pageToken="+page["nextPageToken"].(string), "").want(200).wantJSON(`{"items":[{"name":"models"}]}`)
	c.put("x", "1")
	c.do("DELETE", "/storage/v1/b/data", "").wantError(409, "conflict")
	c.do("DELETE", "/storage/v1/b/models", "").want(204).wantBody("")
	c.do("DELETE", "/storage/v1/b/models", "").wantError(404, "notFound")
	c.do("GET", "/storage/v1/b/data/storageLayout", "").want(200).wantJSON(
		`{"kind":"storage#storageLayout","bucket":"data","location":"US","locationType":"region","hierarchicalNamespace":{"enabled":false}}`)
}

func TestObject_Resource(t *testing.T) {
	c := newClient(t, nil)
	a := c.do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=a%2Fb+c", "0123456789", "Content-Type", "text/plain")
	o := a.want(200).json()
	path := c.base + "/storage/v1/b/data/o/a%2Fb%20c"
	for k, want := range map[string]string{
		"kind": "storage#object", "name": "a/b c", "bucket": "data", "size": "10", "metageneration": "1", "contentType": "text/plain",
		"crc32c": "KAwGng==", "md5Hash": "eB5eJF1ptWaXm4bijSPyxw==", "storageClass": "STANDARD", "selfLink": path,
		"id":        "data/a/b c/" + o["generation"].(string),
		"mediaLink": strings.Replace(path, "/storage", "/download/storage", 1) + "?generation=" + o["generation"].(string) + "&alt=media",
	} {
		if o[k] != want {
			t.Errorf("%s is %v, want %s", k, o[k], want)
		}
	}
	if a.header.Get("Etag") != `"`+o["etag"].(string)+`"` {
		t.Errorf("Etag %s, etag %s", a.header.Get("Etag"), o["etag"])
	}
	c.do("GET", "/storage/v1/b/data/o/a%2Fb%20c", "").want(200).wantJSON(a.body)
	c.do("GET", "/storage/v1/b/data/o/a%2Fb%20c?fields=size,generation,updated", "").want(200).wantJSON(
		fmt.Sprintf(`{"size":"10","generation":%q,"updated":%q}`, o["generation"], o["updated"]))
	c.do("GET", "/storage/v1/b/data/o/none?fields=size", "").wantError(404, "notFound")
	// The client goes on with links of the scheme and the host that it used.
	o = c.do("GET", "/storage/v1/b/data/o/a%2Fb%20c", "", "Host", "storage.googleapis.com").want(200).json()
	if !strings.HasPrefix(o["mediaLink"].(string), "https://storage.googleapis.com/download/") {
		t.Errorf("mediaLink %s", o["mediaLink"])
	}
	c.do("GET", o["mediaLink"].(string)[len("https://storage.googleapis.com"):], "").want(200).wantBody("0123456789")
}

func TestObject_Conditions(t *testing.T) {
	c := newClient(t, nil)
	marker := "/upload/storage/v1/b/data/o?uploadType=media&name=dir%2F&ifGenerationMatch=0"
	g := c.do("POST", marker, "").want(200).json()["generation"].(string)
	c.do("POST", marker, "").wantError(412, "conditionNotMet")
	object := "/storage/v1/b/data/o/dir%2F"
	for query, want := range map[string]int{
		"?ifGenerationMatch=" + g: 200, "?ifGenerationMatch=1": 412, "?ifGenerationNotMatch=" + g: 304, "?ifGenerationNotMatch=1": 200,
		"?ifMetagenerationMatch=2": 412, "?ifMetagenerationNotMatch=1": 304, "?generation=" + g: 200, "?generation=1": 404, "?ifGenerationMatch=x": 400,
		"?alt=media&ifGenerationMatch=1": 412, "?alt=media&generation=1": 404, "?alt=media&ifGenerationNotMatch=" + g: 304,
	} {
		if a := c.do("GET", object+query, ""); a.status != want || want == 304 && a.body != "" {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	tag := c.do("GET", object, "").want(200).header.Get("Etag")
	c.do("GET", object, "", "If-None-Match", tag).want(304)
	c.do("GET", object, "", "If-Match", `"other"`).wantError(412, "conditionNotMet")
	c.do("DELETE", object+"?ifGenerationNotMatch="+g, "").wantError(412, "conditionNotMet")
	c.do("DELETE", object+"?generation=1", "").wantError(404, "notFound")
	c.do("DELETE", object+"?ifGenerationMatch=1", "").wantError(412, "conditionNotMet")
	c.do("DELETE", object+"?generation="+g, "").want(204)
	c.do("DELETE", object, "").wantError(404, "notFound")
}

func TestObject_Update(t *testing.T) {
	c := newClient(t, nil)
	c.put("x", "content")
	object := "/storage/v1/b/data/o/x?fields=contentType,metadata,metageneration,cacheControl"
	for _, step := range []struct{ method, body, want string }{
		{"PATCH", `{"metadata":{"a":"1","b":"2"},"cacheControl":"no-store"}`, `{"contentType":"application/octet-stream","cacheControl":"no-store","metageneration":"2","metadata":{"a":"1","b":"2"}}`},
		{"PATCH", `{"metadata":{"a":null,"c":"3"},"cacheControl":null,"contentType":"t/t"}`, `{"contentType":"t/t","metageneration":"3","metadata":{"b":"2","c":"3"}}`},
		{"PATCH", `{"metadata":null}`, `{"contentType":"t/t","metageneration":"4"}`},
		{"PUT", `{"metadata":{"z":"1"},"name":"x","size":"5"}`, `{"metageneration":"5","metadata":{"z":"1"}}`},
	} {
		c.do(step.method, object, step.body).want(200).wantJSON(step.want)
	}
	c.do("PATCH", object, `{"metadata":{"a":1}}`).wantError(400, "invalid")
	c.do("PATCH", "/storage/v1/b/data/o/none", `{}`).wantError(404, "notFound")
	c.do("PATCH", "/storage/v1/b/data/o/x?ifMetagenerationMatch=1", `{}`).wantError(412, "conditionNotMet")
}

func TestList(t *testing.T) {
	c := newClient(t, nil)
	for _, n := range []string{"run/", "run/a", "run/b/1", "run/b/2", "top"} {
		c.put(n, "")
	}
	list := "/storage/v1/b/data/o?"
	for query, want := range map[string]string{
		"fields=items/name,nextPageToken&prefix=run/&maxResults=1":             `{"items":[{"name":"run/"}],"nextPageToken":"bnJ1bi8"}`,
		"fields=items/name,nextPageToken&prefix=none/&maxResults=2":            `{}`,
		"fields=items/name,prefixes,nextPageToken&delimiter=/&prefix=run/":     `{"items":[{"name":"run/"},{"name":"run/a"}],"prefixes":["run/b/"]}`,
		"fields=items/name,nextPageToken":                                      `{"items":[{"name":"run/"},{"name":"run/a"},{"name":"run/b/1"},{"name":"run/b/2"},{"name":"top"}]}`,
		"fields=items/name,nextPageToken&prefix=run/b/&pageToken=bnJ1bi9iLzE":  `{"items":[{"name":"run/b/2"}]}`,
		"delimiter=/&fields=prefixes,items(name,size)":                         `{"items":[{"name":"top","size":"0"}],"prefixes":["run/"]}`,
		"startOffset=run/b&endOffset=run/b/2&fields=items/name&versions=True":  `{"items":[{"name":"run/b/1"}]}`,
		"delimiter=/&includeTrailingDelimiter=true&fields=items/name,prefixes": `{"items":[{"name":"run/"},{"name":"top"}],"prefixes":["run/"]}`,
		"prefix=none&prettyPrint=false&projection=full":                        `{"kind":"storage#objects"}`,
	} {
		t.Run(query, func(t *testing.T) {
			c.do("GET", list+query, "").want(200).wantJSON(want)
		})
	}
	c.do("GET", "/storage/v1/b/none/o", "").wantError(404, "notFound")
	c.do("GET", list+"pageToken=%25", "").wantError(400, "invalidParameter")
	c.do("GET", list+"maxResults=-1", "").wantError(400, "invalidParameter")
	c.do("GET", list+"filter=contexts.a%3Ab", "").wantError(501, "notImplemented")
	c.do("GET", list+"softDeleted=true", "").wantError(501, "notImplemented")
	c.do("GET", list+"fields=items(name", "").wantError(400, "invalidParameter")
}

func TestCopies(t *testing.T) {
	c := newClient(t, nil)
	c.do("POST", "/storage/v1/b", `{"name":"other"}`).want(200)
	o := c.do("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=a%2Fb", "content", "Content-Type", "x/y").want(200).json()
	r := c.do("POST", "/storage/v1/b/data/o/a%2Fb/rewriteTo/b/other/o/c%2Fd", "").want(200).json()
	res, _ := r["resource"].(map[string]any)
	if r["kind"] != "storage#rewriteResponse" || r["done"] != true || r["objectSize"] != "7" || r["totalBytesRewritten"] != "7" || res["bucket"] != "other" || res["contentType"] != "x/y" {
		t.Fatalf("got %v", r)
	}
	c.do("GET", "/other/c/d", "").want(200).wantBody("content")
	c.do("POST", "/storage/v1/b/data/o/a%2Fb/copyTo/b/data/o/e?fields=contentType,metadata", `{"metadata":{"k":"v"}}`).want(200).wantJSON(`{"contentType":"x/y","metadata":{"k":"v"}}`)
	c.do("POST", "/storage/v1/b/data/o/e/copyTo/b/data/o/e?fields=contentType", `{"contentType":"new/one"}`).want(200).wantJSON(`{"contentType":"new/one"}`)
	c.do("POST", "/storage/v1/b/data/o/none/rewriteTo/b/other/o/c", "").wantError(404, "notFound")
	c.do("POST", "/storage/v1/b/data/o/e/rewriteTo/b/none/o/c", "").wantError(404, "notFound")
	c.do("POST", "/storage/v1/b/data/o/e/rewriteTo/b/other/o/c%2Fd?ifGenerationMatch=0", "").wantError(412, "conditionNotMet")
	c.do("POST", "/storage/v1/b/data/o/e/rewriteTo/b/other/o/x?ifSourceGenerationMatch=1", "").wantError(412, "conditionNotMet")
	c.do("POST", "/storage/v1/b/data/o/e/rewriteTo/b/other/o/x?sourceGeneration=1", "").wantError(404, "notFound")

	c.do("POST", "/storage/v1/b/data/o/a%2Fb/moveTo/o/moved?ifSourceGenerationMatch="+o["generation"].(string), "").want(200)
	c.do("GET", "/data/moved", "").want(200).wantBody("content")
	c.do("GET", "/data/a/b", "").want(404)
	c.do("POST", "/storage/v1/b/data/o/moved/moveTo/o/moved", "").wantError(400, "invalid")
	c.do("POST", "/storage/v1/b/data/o/none/moveTo/o/moved", "").wantError(404, "notFound")
}

func TestCompose(t *testing.T) {
	c := newClient(t, nil)
	g := c.put("it's", "first ").json()["generation"].(string)
	c.put(".tmpcompose/it's.0", "second")
	// As TensorFlow writes it: single quotes, a number without quotes, and no s.
	o := c.do("POST", "/storage/v1/b/data/o/it's/compose",
		`{'sourceObjects': [{'name': 'it's','objectPrecondition':{'ifGenerationMatch':`+g+`}},{'name': '.tmpcompose/it's.0'}]}`).want(200).json()
	if o["componentCount"] != 2.0 || o["md5Hash"] != nil || o["size"] != "12" {
		t.Fatalf("got %v", o)
	}
	c.do("GET", "/data/it's", "").want(200).wantBody("first second")
	c.do("POST", "/storage/v1/b/data/o/it's/compose",
		`{'sourceObjects': [{'name': 'it's','objectPrecondition':{'ifGenerationMatch':`+g+`}}]}`).wantError(412, "conditionNotMet")
	c.do("POST", "/storage/v1/b/data/o/c/compose?fields=contentType,size",
		`{"sourceObjects":[{"name":"it's"},{"name":"it's","objectPreconditions":{"ifGenerationMatch":"`+o["generation"].(string)+`"}}],"destination":{"contentType":"t/t"}}`).
		want(200).wantJSON(`{"contentType":"t/t","size":"24"}`)
	c.do("POST", "/storage/v1/b/data/o/c/compose", `{"sourceObjects":[{"name":"none"}]}`).wantError(404, "notFound")
	c.do("POST", "/storage/v1/b/data/o/c/compose", `{}`).wantError(400, "invalid")
	c.do("POST", "/storage/v1/b/data/o/c/compose", `{'sourceObjects`).wantError(400, "parseError")
}

func TestPaths_NamesThatHurt(t *testing.T) {
	c := newClient(t, nil)
	for _, n := range []string{"a", "a/b", "a//b", "/a", "a/", "x/../y", "../y", "./y", "a%2Fb", "a%", "a+b", "a b", "ü/日本", "a?b#c", "a\\b", `"q"`, "o/compose", "compose"} {
		c.put(n, "content of "+n)
		path := url.PathEscape(n)
		o := c.do("GET", "/storage/v1/b/data/o/"+path, "").want(200).json()
		if o["name"] != n {
			t.Fatalf("%q came back as %q", n, o["name"])
		}
		c.do("GET", "/storage/v1/b/data/o/"+path+"?alt=media", "").want(200).wantBody("content of " + n)
		c.do("GET", "/download/storage/v1/b/data/o/"+path+"?alt=media", "").want(200).wantBody("content of " + n)
		c.do("GET", "/data/"+path, "").want(200).wantBody("content of " + n)
		c.do("GET", "/data/"+strings.ReplaceAll(path, "%2F", "/"), "").want(200).wantBody("content of " + n)
		c.do("DELETE", "/storage/v1/b/data/o/"+path, "").want(204)
	}
}

func TestPaths_NotThere(t *testing.T) {
	c := newClient(t, nil)
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"POST", "/batch/storage/v1", 400},
		{"GET", "/batch", 405},
		{"GET", "/storage/v1/b/data/nonsense", 404},
		{"GET", "/storage/v1/nonsense", 404},
		{"GET", "/storage/v1/b/data/iam", 501},
		{"GET", "/storage/v1/projects/hearth/serviceAccount", 501},
		{"POST", "/storage/v1/b/data", 405},
		{"POST", "/storage/v1/b/data/o/bulkRestore", 501},
		{"POST", "/storage/v1/b/data/o", 400},
		{"GET", "/storage/v1/b/data/o/x/acl", 501},
		{"POST", "/storage/v1/b/data/o/x", 405},
		{"GET", "/upload/storage/v1/b/data/o", 405},
		{"GET", "/upload/storage/v1/nonsense", 404},
		{"POST", "/upload/storage/v1/b/data/o", 400},
	} {
		a := c.do(test.method, test.path, "")
		if a.status != test.status || !strings.HasPrefix(a.body, `{"error":{"code":`) {
			t.Errorf("%s %s: %d %s", test.method, test.path, a.status, a.body)
		}
	}
	for _, path := range []string{"/data", "/data/"} {
		if a := c.do("GET", path, ""); a.status != 501 || !strings.Contains(a.body, "<Code>NotImplemented</Code>") {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
	}
	if a := c.do("GET", "/data/none", ""); a.status != 404 || !strings.Contains(a.body, "<Code>NoSuchKey</Code>") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.do("GET", "/none/x", ""); a.status != 404 || !strings.Contains(a.body, "<Code>NoSuchBucket</Code>") {
		t.Errorf("%d %s", a.status, a.body)
	}
	c.do("HEAD", "/data/none", "").want(404).wantBody("")
}

func TestAuthorize(t *testing.T) {
	var denied error
	var asked []string
	c := newClient(t, func(o *Options) {
		o.Authorize = func(_ *http.Request, bucket string, write bool) error {
			asked = append(asked, fmt.Sprint(bucket, " ", write))
			return denied
		}
	})
	c.put("x", "1")
	location := c.do("POST", "/upload/storage/v1/b/data/o?uploadType=resumable&name=y", "").want(200).header.Get("Location")
	for _, test := range []struct{ method, path, want string }{
		{"GET", "/storage/v1/b", "[ false]"},
		{"POST", "/storage/v1/b", "[ true]"},
		{"GET", "/storage/v1/b/data/o", "[data false]"},
		{"GET", "/data/x", "[data false]"},
		{"HEAD", "/data/x", "[data false]"},
		{"GET", "/download/storage/v1/b/data/o/x", "[data false]"},
		{"DELETE", "/storage/v1/b/data/o/x", "[data true]"},
		{"POST", "/storage/v1/b/data/o/x/rewriteTo/b/data/o/y", "[data false data true]"},
		{"POST", "/storage/v1/b/data/o/x/moveTo/o/y", "[data true]"},
		{"POST", "/upload/storage/v1/b/data/o?uploadType=media&name=z", "[data true]"},
		{"POST", "/resumable/upload/storage/v1/b/data/o?uploadType=resumable&name=z", "[data true]"},
		{"PUT", location, "[]"},
	} {
		asked, denied = nil, nil
		c.do(test.method, test.path, "{}")
		if fmt.Sprint(asked) != test.want {
			t.Errorf("%s %s asked %v, want %s", test.method, test.path, asked, test.want)
		}
		denied = ml.Errorf(ml.PermissionDenied, "no")
		if a := c.do(test.method, test.path, "{}"); test.want != "[]" && a.status != 403 {
			t.Errorf("%s %s: %d", test.method, test.path, a.status)
		}
	}
	denied = ml.Errorf(ml.Unauthenticated, "who?")
	c.do("GET", "/storage/v1/b/data", "").wantError(401, "required")
}
