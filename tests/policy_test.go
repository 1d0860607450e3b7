package tests

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// without is a request without its credentials.
func without(text string) string {
	head, rest, _ := strings.Cut(text, "Authorization: ")
	_, rest, _ = strings.Cut(rest, "\r\n")
	return head + rest
}

// A model that is opened to allUsers answers whoever asks, on every way, and one that
// is closed again nobody, on connections that were lent as well.
func TestPolicy_AllUsers(t *testing.T) {
	d := newDaemon(t)
	d.model("open", "half_plus_two")
	d.must("models", "create", "closed")
	const binding = "--member=allUsers --role=roles/ml.modelUser"
	change := func(verb string) {
		t.Helper()
		d.must(append([]string{"models", verb, "open"}, strings.Fields(binding)...)...)
	}
	k := d.keep()
	predict := without(d.predicting("open", half))
	k.expect(predict, 401, "no credentials")
	change("add-iam-policy-binding")
	for range 3 { // the second one on a connection that is lent
		k.expect(predict, 200, "2.5")
	}
	if d.lent() == 0 {
		t.Error("the connection was not lent")
	}
	for _, tc := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/v1/models/open:predict", half, 200},
		{"GET", "/v1/models/open", "", 200},
		{"GET", "/v1/models/open/metadata", "", 200},
		{"GET", "/v1/projects/hearth/models/open", "", 200},
		{"GET", "/v1/projects/hearth/models/open/versions/v1", "", 200},
		{"GET", "/v1/projects/hearth/models/open/versions", "", 200},
		{"POST", "/v1/projects/hearth/models/open/versions/v1:predict", half, 200},
		{"GET", "/v1/projects/hearth/models/closed", "", 401},
		{"GET", "/v1/projects/hearth/models", "", 401},
		{"GET", "/v1/projects/hearth/models/open:getIamPolicy", "", 401},
		{"DELETE", "/v1/projects/hearth/models/open", "", 401},
		{"POST", "/v1/projects/hearth/models/open/versions/v1:setDefault", "{}", 401},
		{"POST", "/v1/projects/hearth/models/open/versions", "{}", 401},
		{"GET", "/v1/projects/hearth/models/open/", "", 401},
		{"GET", "/v1/projects/hearth/jobs", "", 401},
		{"GET", "/hearth/v1/status", "", 401},
		{"GET", "/metrics", "", 401},
	} {
		k.expect(without(d.asking(tc.method, tc.path, tc.body)), tc.status, "")
	}
	wrong := strings.Replace(d.predicting("open", half), "Bearer ", "Bearer x", 1)
	k.expect(wrong, 401, "not known")

	call := func(service, method string, withToken bool) codes.Code {
		c, ctx := d.dialGRPC()
		if !withToken {
			ctx = metadata.NewOutgoingContext(ctx, metadata.MD{})
		}
		var answer mem.BufferSlice
		spec := []byte{0x0a, 0x06, 0x0a, 0x04, 'o', 'p', 'e', 'n'}
		return status.Code(c.Invoke(ctx, "/tensorflow.serving."+service+"/"+method, mem.BufferSlice{mem.SliceBuffer(spec)}, &answer, grpc.ForceCodecV2(rawCodec{})))
	}
	if got := call("ModelService", "GetModelStatus", false); got != codes.OK {
		t.Errorf("gRPC without a token: %s", got)
	}
	// The call is let in: what is wrong with it the model says.
	if got := call("PredictionService", "Predict", false); got != codes.InvalidArgument {
		t.Errorf("gRPC predict without a token: %s", got)
	}
	change("remove-iam-policy-binding")
	k.expect(predict, 401, "no credentials")
	if got := call("ModelService", "GetModelStatus", false); got != codes.Unauthenticated {
		t.Errorf("gRPC after the model was closed: %s", got)
	}
	if got := call("ModelService", "GetModelStatus", true); got != codes.OK {
		t.Errorf("gRPC with a token: %s", got)
	}
}

func TestPolicy_Refused(t *testing.T) {
	d := newDaemon(t)
	d.must("models", "create", "m")
	for body, want := range map[string]string{
		`{}`: "policy",
		`{"policy":{"bindings":[{"role":"roles/none","members":["allUsers"]}]}}`:                       "policy.bindings[0].role",
		`{"policy":{"bindings":[{"role":"roles/ml.modelUser","members":["everybody"]}]}}`:              "policy.bindings[0].members[0]",
		`{"policy":{"bindings":[]},"updateMask":"rules"}`:                                              "updateMask",
		`{"policy":{"bindings":[{"role":"roles/ml.modelUser","members":["allUsers"],"extra":1}]}}`:     "extra",
		`{"policy":{"etag":"AAAA","bindings":[]}}`:                                                     "concurrent",
		`{"policy":{"bindings":[{"role":"roles/viewer","members":["allUsers"],"condition":{"a":1}}]}}`: "condition",
	} {
		status, answer := d.raw("POST", "/v1/projects/hearth/models/m:setIamPolicy", body)
		if status < 400 || status == 500 || !strings.Contains(string(answer), want) {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	if status, answer := d.raw("GET", "/v1/projects/hearth/models/m:getIamPolicy", ""); status != http.StatusOK || !strings.Contains(string(answer), `"ACAB"`) {
		t.Errorf("afterwards: %d %s", status, answer)
	}
	if status, answer := d.raw("POST", "/v1/projects/hearth/models/m:testIamPermissions", `{"permissions":["ml.models.predict"]}`); status != 200 || !strings.Contains(string(answer), "ml.models.predict") {
		t.Errorf("testIamPermissions: %d %s", status, answer)
	}
}
