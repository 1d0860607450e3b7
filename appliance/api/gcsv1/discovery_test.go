package gcsv1

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	// Keeps the module with Google's description of the API among ours.
	_ "google.golang.org/api/googleapi"

	"hearth/storage/object"
)

// discovery is the part of Google's description of an API that is used here.
type discovery struct {
	Resources map[string]discoveryResource `json:"resources"`
	Schemas   map[string]struct {
		Properties map[string]any `json:"properties"`
	} `json:"schemas"`
}

type discoveryResource struct {
	Methods   map[string]discoveryMethod   `json:"methods"`
	Resources map[string]discoveryResource `json:"resources"`
}

type discoveryMethod struct {
	ID         string         `json:"id"`
	HTTPMethod string         `json:"httpMethod"`
	Path       string         `json:"path"`
	Parameters map[string]any `json:"parameters"`
}

func readDiscovery(t *testing.T) discovery {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/api").Output()
	if err != nil {
		t.Fatalf("find google.golang.org/api: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "storage/v1/storage-api.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d discovery
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func methodsOf(rs map[string]discoveryResource) []discoveryMethod {
	var all []discoveryMethod
	for _, r := range rs {
		for _, m := range r.Methods {
			all = append(all, m)
		}
		all = append(all, methodsOf(r.Resources)...)
	}
	slices.SortFunc(all, func(a, b discoveryMethod) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// TestRoutes_CoverDiscovery holds the routes, Google's description of the API
// and the table in docs/unsupported.md together.
func TestRoutes_CoverDiscovery(t *testing.T) {
	c := newClient(t, nil)
	doc, err := os.ReadFile("../../../docs/unsupported.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(doc), "\n## Cloud Storage JSON API v1\n")
	if !ok {
		t.Fatal("docs/unsupported.md has no section about the storage API")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	all := methodsOf(readDiscovery(t).Resources)
	if len(all) < 87 {
		t.Errorf("Google's description has %d methods", len(all))
	}
	rows := len(regexp.MustCompile("(?m)^\\| `").FindAllString(section, -1))
	variable := regexp.MustCompile(`\{(\w+)\}`)
	for _, m := range all {
		path := "/storage/v1/" + variable.ReplaceAllString(m.Path, "none-such")
		a := c.do(m.HTTPMethod, path, "")
		if strings.Contains(a.body, "There is nothing at") || a.status == 405 {
			t.Errorf("%s: no route for %s %s: %s", m.ID, m.HTTPMethod, path, a.body)
		}
		documented := strings.Contains(section, "\n| `"+strings.TrimPrefix(m.ID, "storage.")+"` |")
		if documented {
			rows--
		}
		if documented != (a.status == 501) {
			t.Errorf("%s answers %d; in docs/unsupported.md: %v", m.ID, a.status, documented)
		}
	}
	if rows != 0 {
		t.Errorf("docs/unsupported.md has %d rows that are no methods", rows)
	}
}

func TestResources_MatchDiscovery(t *testing.T) {
	d := readDiscovery(t)
	c := &call{server: &server{}, r: mustRequest(t)}
	bucket := c.bucketResource(&object.Bucket{Labels: map[string]string{"a": "b"}, Location: "US", StorageClass: "STANDARD"})
	for schema, names := range map[string][]string{
		"Object":  fieldNames(objectFields),
		"Bucket":  slices.Collect(maps.Keys(bucket)),
		"Objects": slices.Collect(maps.Keys(decodeMap(t, listOfOne().appendJSON(nil, nil)))),
		"RewriteResponse": slices.Collect(maps.Keys(decodeMap(t,
			rewriteAnswer{objectAnswer{"", &object.Object{}}}.appendJSON(nil, nil)))),
	} {
		for _, name := range names {
			if _, ok := d.Schemas[schema].Properties[name]; !ok {
				t.Errorf("%s has no field %s", schema, name)
			}
		}
	}
	// What is left out of a bucket is really one of its fields.
	for name := range bucketIgnored {
		if _, ok := d.Schemas["Bucket"].Properties[name]; !ok {
			t.Errorf("a bucket has no field %s", name)
		}
	}
}
