package gcemetadata

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandler(t *testing.T) {
	h := New("hearth")
	const email = "default@hearth.iam.gserviceaccount.com"
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/", 200, "computeMetadata/\n"},
		{"/computeMetadata/v1/", 200, "instance/\nproject/\nuniverse/\n"},
		{"/computeMetadata/v1/project/project-id", 200, "hearth"},
		{"/computeMetadata/v1/project/numeric-project-id", 200, "1"},
		{"/computeMetadata/v1/universe/universe-domain", 200, "googleapis.com"},
		{"/computeMetadata/v1/universe/universe_domain", 200, "googleapis.com"},
		{"/computeMetadata/v1/instance/zone", 200, "projects/1/zones/us-central1-a"},
		{"/computeMetadata/v1/instance/service-accounts/", 200, "default/\n" + email + "/\n"},
		{"/computeMetadata/v1/instance/service-accounts/?recursive=true", 200, `"default":{"aliases":["default"]`},
		{"/computeMetadata/v1/instance/service-accounts/default/?recursive=true", 200, `{"aliases":["default"],"email":"` + email + `","scopes":["https://www.googleapis.com/auth/cloud-platform"]}`},
		{"/computeMetadata/v1/instance/service-accounts/default/email", 200, email},
		{"/computeMetadata/v1/instance/service-accounts/default/scopes", 200, "https://www.googleapis.com/auth/cloud-platform\n"},
		{"/computeMetadata/v1/instance/service-accounts/default/token", 200, `{"access_token":"` + Token + `","expires_in":3599,"token_type":"Bearer"}`},
		{"/computeMetadata/v1/instance/service-accounts/" + email + "/token?scopes=x", 200, Token},
		{"/computeMetadata/v1/instance/service-accounts/other/token", 404, ""},
		{"/computeMetadata/v1/instance/service-accounts/default/identity", 404, ""},
		{"/computeMetadata/v1/instance/disks", 404, ""},
		{"/computeMetadata/v2", 404, ""},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", tt.path, nil)
		r.Header.Set("Metadata-Flavor", "Google")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || w.Header().Get("Metadata-Flavor") != "Google" {
			t.Errorf("%s: %d %q %v", tt.path, w.Code, w.Body, w.Header())
		}
	}
}

func TestHandler_Refuses(t *testing.T) {
	for name, header := range map[string][2]string{"NoFlavor": {"X", "y"}, "Forwarded": {"X-Forwarded-For", "10.0.0.1"}} {
		r := httptest.NewRequest("GET", "/computeMetadata/v1/project/project-id", nil)
		r.Header.Set(header[0], header[1])
		if name == "Forwarded" {
			r.Header.Set("Metadata-Flavor", "Google")
		}
		w := httptest.NewRecorder()
		New("hearth").ServeHTTP(w, r)
		if w.Code != 403 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}
