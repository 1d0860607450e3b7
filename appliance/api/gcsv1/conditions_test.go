package gcsv1

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// heeding is a method that heeds preconditions.
type heeding struct {
	id, method, path, body string
	// target says that its preconditions are about the object "target", and those
	// on a source about "src"; else all are about "src".
	target bool
}

var heeded = []heeding{
	{"objects.get", "GET", "/storage/v1/b/data/o/src", "", false},
	{"objects.get", "GET", "/storage/v1/b/data/o/src?alt=media", "", false},
	{"objects.patch", "PATCH", "/storage/v1/b/data/o/src", "{}", false},
	{"objects.update", "PUT", "/storage/v1/b/data/o/src", "{}", false},
	{"objects.delete", "DELETE", "/storage/v1/b/data/o/src", "", false},
	{"objects.insert", "POST", "/upload/storage/v1/b/data/o?uploadType=media&name=src", "x", false},
	{"objects.insert", "POST", "/upload/storage/v1/b/data/o?uploadType=resumable&name=src", "", false},
	{"objects.compose", "POST", "/storage/v1/b/data/o/target/compose", `{"sourceObjects":[{"name":"src"}]}`, true},
	{"objects.copy", "POST", "/storage/v1/b/data/o/src/copyTo/b/data/o/target", "", true},
	{"objects.rewrite", "POST", "/storage/v1/b/data/o/src/rewriteTo/b/data/o/target", "", true},
	{"objects.move", "POST", "/storage/v1/b/data/o/src/moveTo/o/target", "", true},
}

// TestConditions_EveryMethod sends each precondition that Google's description
// gives a method, once as it holds and once as it does not.
func TestConditions_EveryMethod(t *testing.T) {
	c := newClient(t, nil)
	for _, m := range methodsOf(readDiscovery(t).Resources) {
		id := strings.TrimPrefix(m.ID, "storage.")
		var params []string
		for name := range m.Parameters {
			if strings.HasPrefix(name, "if") && strings.HasPrefix(id, "objects.") {
				params = append(params, name)
			}
		}
		found := false
		for _, h := range heeded {
			if h.id != id {
				continue
			}
			found = true
			for _, p := range params {
				h.check(c, p)
			}
		}
		if len(params) > 0 && !found && id != "objects.restore" {
			t.Errorf("%s is not in the table", id)
		}
	}
}

// check sends a precondition that holds and one that does not.
func (h heeding) check(c *client, param string) {
	c.t.Helper()
	about := "src"
	if h.target && !strings.Contains(param, "Source") {
		about = "target"
	}
	negative := strings.Contains(param, "NotMatch")
	for _, same := range []bool{true, false} {
		c.put("src", "content")
		c.put("target", "content")
		value := "12345"
		if same {
			value = "1"
			if !strings.Contains(param, "Meta") {
				value = c.do("GET", "/storage/v1/b/data/o/"+about, "").json()["generation"].(string)
			}
		}
		want := http.StatusPreconditionFailed
		switch {
		case same != negative && h.method == "DELETE":
			want = http.StatusNoContent
		case same != negative:
			want = http.StatusOK
		case h.method == "GET" && negative:
			want = http.StatusNotModified
		}
		sep := "?"
		if strings.Contains(h.path, "?") {
			sep = "&"
		}
		if a := c.do(h.method, h.path+sep+param+"="+value, h.body); a.status != want {
			c.t.Errorf("%s %s with %s=%s: %d, want %d: %s", h.method, h.path, param, value, a.status, want, a.body)
		}
	}
}

func TestConditions_Buckets(t *testing.T) {
	c := newClient(t, nil)
	const bucket = "/storage/v1/b/data"
	tag := c.do("GET", bucket, "").want(200).header.Get("Etag")
	for _, test := range []struct {
		method, query string
		headers       []string
		status        int
	}{
		{"GET", "?ifMetagenerationMatch=1", nil, 200},
		{"GET", "?ifMetagenerationMatch=2", nil, 412},
		{"GET", "?ifMetagenerationNotMatch=1", nil, 304},
		{"GET", "", []string{"If-Match", tag}, 200},
		{"GET", "", []string{"If-Match", `"x"`}, 412},
		{"GET", "", []string{"If-None-Match", tag}, 304},
		{"PATCH", "?ifMetagenerationMatch=2", nil, 412},
		{"PATCH", "?ifMetagenerationNotMatch=1", nil, 412},
		{"PATCH", "", []string{"If-Match", `"x"`}, 412},
		{"PUT", "?ifMetagenerationMatch=2", nil, 412},
		{"DELETE", "?ifMetagenerationMatch=2", nil, 412},
		{"DELETE", "?ifMetagenerationNotMatch=1", nil, 412},
		{"DELETE", "?ifMetagenerationMatch=x", nil, 400},
		{"DELETE", "", []string{"If-Match", `"x"`}, 412},
		{"PATCH", "?ifMetagenerationMatch=1", []string{"If-Match", tag}, 200},
		{"PATCH", "", []string{"If-Match", tag}, 412},
		{"DELETE", "?ifMetagenerationMatch=2", nil, 204},
	} {
		if a := c.do(test.method, bucket+test.query, "{}", test.headers...); a.status != test.status {
			t.Errorf("%s %s %v: %d, want %d: %s", test.method, test.query, test.headers, a.status, test.status, a.body)
		}
	}
}

func TestConditions_ETagsOfObjects(t *testing.T) {
	c := newClient(t, nil)
	c.put("x", "1")
	const object = "/storage/v1/b/data/o/x"
	tag := c.do("GET", object, "").header.Get("Etag")
	c.do("PATCH", object, "{}", "If-Match", tag).want(200)
	c.do("PATCH", object, "{}", "If-Match", tag).wantError(412, "conditionNotMet")
	c.do("DELETE", object, "", "If-Match", tag).wantError(412, "conditionNotMet")
	c.do("DELETE", object, "", "If-Match", `"nonsense"`).wantError(412, "conditionNotMet")
	tag = c.do("GET", object, "").header.Get("Etag")
	c.do("DELETE", object+"?ifMetagenerationMatch=1", "", "If-Match", tag).wantError(412, "conditionNotMet")
	c.do("DELETE", object, "", "If-Match", tag).want(204)
}

func TestConditions_XML(t *testing.T) {
	c := newClient(t, nil)
	g := c.put("x", "1").json()["generation"].(string)
	c.do("GET", "/data/x", "", "X-Goog-If-Generation-Match", g).want(200)
	c.do("GET", "/data/x", "", "X-Goog-If-Generation-Match", "1").want(412)
	c.do("GET", "/data/x", "", "X-Goog-If-Metageneration-Match", "2").want(412)
	c.do("GET", "/data/x?generation="+g, "").want(200)
	c.do("GET", "/data/x?generation=1", "").want(404)
}

func TestCompose_Conditions(t *testing.T) {
	c := newClient(t, nil)
	g := c.put("a", "1").json()["generation"].(string)
	compose := func(source string) *answer {
		return c.do("POST", "/storage/v1/b/data/o/t/compose", fmt.Sprintf(`{"sourceObjects":[{"name":"a"},%s]}`, source))
	}
	compose(`{"name":"a","generation":"1"}`).wantError(404, "notFound")
	compose(`{"name":"a","generation":"`+g+`","objectPreconditions":{"ifGenerationMatch":"1"}}`).wantError(412, "conditionNotMet")
	compose(`{"name":"a","objectPreconditions":{"ifGenerationMatch":"1"}}`).wantError(412, "conditionNotMet")
	compose(`{"name":"a","generation":` + g + `,"objectPreconditions":{"ifGenerationMatch":"` + g + `"}}`).want(200)
	c.do("GET", "/data/t", "").wantBody("11")
	c.do("POST", "/storage/v1/b/data/o/t/compose", `{"sourceObjects":[`+strings.Repeat(`{"name":"a"},`, 32)+`{"name":"a"}]}`).wantError(400, "invalid")

	c.put("b", "2")
	c.do("POST", "/storage/v1/b/data/o/a/compose", `{"sourceObjects":[{"name":"a"},{"name":"b"}],"deleteSourceObjects":true}`).want(200)
	c.do("GET", "/data/a", "").wantBody("12")
	c.do("GET", "/data/b", "").want(404)
}
