package mlv1

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	// Keeps the module with Google's description of the API among ours.
	_ "google.golang.org/api/googleapi"

	"hearth/ml"
)

// discovery is the part of Google's description of an API that is used here.
type discovery struct {
	Resources map[string]resource `json:"resources"`
	Schemas   map[string]schema   `json:"schemas"`
}

type resource struct {
	Methods   map[string]method   `json:"methods"`
	Resources map[string]resource `json:"resources"`
}

type method struct {
	ID         string               `json:"id"`
	HTTPMethod string               `json:"httpMethod"`
	FlatPath   string               `json:"flatPath"`
	Parameters map[string]parameter `json:"parameters"`
}

type parameter struct {
	Location string `json:"location"`
}

type schema struct {
	Type                 string            `json:"type"`
	Format               string            `json:"format"`
	Ref                  string            `json:"$ref"`
	Properties           map[string]schema `json:"properties"`
	Items                *schema           `json:"items"`
	AdditionalProperties *schema           `json:"additionalProperties"`
}

func readDiscovery(t *testing.T) discovery {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/api").Output()
	if err != nil {
		t.Fatalf("find google.golang.org/api: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "ml/v1/ml-api.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d discovery
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func methodsOf(rs map[string]resource) []method {
	var all []method
	for _, r := range rs {
		for _, m := range r.Methods {
			all = append(all, m)
		}
		all = append(all, methodsOf(r.Resources)...)
	}
	slices.SortFunc(all, func(a, b method) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func TestRoutes_CoverDiscovery(t *testing.T) {
	h := newTestAPI(t).handler
	doc, err := os.ReadFile("../../../docs/unsupported.md")
	if err != nil {
		t.Fatal(err)
	}
	all := methodsOf(readDiscovery(t).Resources)
	if len(all) < 46 {
		t.Errorf("Google's description has %d methods", len(all))
	}
	variable := regexp.MustCompile(`\{(\w+)\}`)
	for _, m := range all {
		path := "/" + variable.ReplaceAllString(strings.ReplaceAll(m.FlatPath, "{projectsId}", "hearth"), "x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(m.HTTPMethod, path, nil))
		if w.Code == 404 && strings.Contains(w.Body.String(), "Method not found") {
			t.Errorf("%s: no route for %s %s", m.ID, m.HTTPMethod, path)
		}
		documented := strings.Contains(string(doc), "`"+strings.TrimPrefix(m.ID, "ml.")+"`")
		if documented != (w.Code == 501) {
			t.Errorf("%s answers %d; in docs/unsupported.md: %v", m.ID, w.Code, documented)
		}
		if w.Code == 501 {
			continue
		}
		for name, p := range m.Parameters {
			if p.Location != "query" {
				continue
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(m.HTTPMethod, path+"?"+name+"=", nil))
			if strings.Contains(w.Body.String(), "Cannot bind query parameter") {
				t.Errorf("%s refuses its parameter %s", m.ID, name)
			}
		}
	}
}

func TestTypes_MatchDiscovery(t *testing.T) {
	d := readDiscovery(t)
	const prefix = "GoogleCloudMlV1__"
	for name, v := range map[string]any{
		prefix + "Job": ml.Job{}, prefix + "Model": ml.Model{}, prefix + "Version": ml.Version{},
		prefix + "OperationMetadata":   ml.OperationMetadata{},
		"GoogleLongrunning__Operation": ml.Operation{}, "GoogleRpc__Status": ml.Status{},
		prefix + "ListJobsResponse": listJobsResponse{}, prefix + "ListModelsResponse": listModelsResponse{},
		prefix + "ListVersionsResponse": listVersionsResponse{},
	} {
		compareType(t, d, name, reflect.TypeOf(v))
	}
}

// typeField is not in the schema: it says which message an Any holds.
const typeField = "@type"

func compareType(t *testing.T, d discovery, name string, typ reflect.Type) {
	s, ok := d.Schemas[name]
	if !ok {
		t.Errorf("no schema %s", name)
		return
	}
	have := map[string]reflect.Type{}
	for f := range typ.Fields() {
		field, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		have[field] = f.Type
		if _, ok := s.Properties[field]; !ok && field != typeField {
			t.Errorf("%s.%s is not a field of %s", typ, field, name)
		}
	}
	for field, p := range s.Properties {
		if have[field] == nil {
			t.Errorf("%s has no field for %s.%s", typ, name, field)
			continue
		}
		compareField(t, d, typ.String()+"."+field, p, have[field])
	}
}

func compareField(t *testing.T, d discovery, at string, s schema, typ reflect.Type) {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ == reflect.TypeFor[json.RawMessage]() || typ.Kind() == reflect.Interface {
		return
	}
	switch {
	case s.Ref != "":
		compareType(t, d, s.Ref, typ)
		return
	case s.Type == "array" && typ.Kind() == reflect.Slice:
		compareField(t, d, at+"[]", *s.Items, typ.Elem())
		return
	case s.AdditionalProperties != nil && typ == reflect.TypeFor[ml.OperationMetadata]():
		// An Any; its own schema is compared by name.
		return
	case s.AdditionalProperties != nil && typ.Kind() == reflect.Map:
		compareField(t, d, at+"{}", *s.AdditionalProperties, typ.Elem())
		return
	}
	want := map[string]reflect.Type{
		"string int64": reflect.TypeFor[ml.Int64](), "string google-datetime": reflect.TypeFor[ml.Timestamp](),
		"string google-duration": reflect.TypeFor[ml.Duration](), "string byte": reflect.TypeFor[[]byte](),
		"integer int32": reflect.TypeFor[int32](), "number double": reflect.TypeFor[float64](),
		"boolean ": reflect.TypeFor[bool](),
	}[s.Type+" "+s.Format]
	isText := s.Type == "string" && s.Format == "" && typ.Kind() == reflect.String
	isCode := s.Type == "integer" && typ == reflect.TypeFor[ml.Kind]()
	if want != typ && !isText && !isCode {
		t.Errorf("%s is a %s, the API's a %s %s", at, typ, s.Type, s.Format)
	}
}
